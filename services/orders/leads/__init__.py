"""What becomes of orders when their leads are corrected, released, merged or marked as spam.

Leads decides and tells; nothing here is refused. Facts come in any order and more than once: each has a revision or a
time by which an older one is known. Numbers of customers are locked before orders, as where orders are born.
"""
