"""Callbacks: durable as they came and answered at once; read and applied afterwards."""
