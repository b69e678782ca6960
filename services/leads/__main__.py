from services.leads.app import SERVICE
from shared.service import main

main(SERVICE)
