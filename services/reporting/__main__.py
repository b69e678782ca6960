from services.reporting.app import SERVICE
from shared.service import main

main(SERVICE)
