from services.shipping.app import SERVICE
from shared.service import main

main(SERVICE)
