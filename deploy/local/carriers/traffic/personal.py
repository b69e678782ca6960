"""Which fields of carriers' messages say something about people.

Nothing is kept because nobody thought of it: a text stays only if its field is listed here as harmless, or if it is one of
the carriers' own words. Names of fields are compared in lower case without underscores, so that `ClientOrderCode`,
`client_order_code` and `CLIENT_ORDER_CODE` are one; the three carriers share one list.
"""

from enum import StrEnum
from functools import cache

from deploy.local.ghn.life import ROAD as GHN_ROAD
from deploy.local.ghtk.life import ROAD as GHTK_ROAD
from deploy.local.viettelpost.life import ROAD as VIETTELPOST_ROAD


class Kind(StrEnum):
    """What a field holds."""

    HARMLESS = "harmless"
    UNIT = "unit"
    """An administrative unit, which stays: a ward has ten thousand people."""
    NAME = "name"
    PHONE = "phone"
    ADDRESS = "address"
    SECRET = "secret"
    TEXT = "text"
    """Anything, so it is replaced too."""


def normalised(field: str) -> str:
    return field.lower().replace("_", "").replace("-", "")


_CODES = (
    "productcode sku"
    " id label labelid partnerid ordercode ordercodes clientordercode ghtklabel orderid ordernumber orderreference orderarray"
    " trackingid sortcode sortingcode code codemessage errorcode logid itemordercode partialreturncode groupaddressid"
    " pickaddressid shopid clientid oid pkgdraftid bill"
)
_STATES = (
    "status statusid statustext statusname statusvalue orderstatus success error result type kind reasoncode returnpartpackage"
    " ver ispartialreturn isreturning iscodtransferred iscodcollected isfreeship isxfast transport pickoption deliveroption"
    " weightoption requirednote orderpayment paymenttype paymenttypeid servicetypeid serviceid orderservice orderserviceadd"
    " madvchinh tendichvu servicecode servicename shortname transtype checkunique producttype"
)
_TIMES = (
    "time actiontime created modified updateddate createddate orderdate leadtime finishdate codtransferdate codcollectdate"
    " codfailedcollectdate orderstatusdate expecteddelivery expecteddeliverydate expecteddeliverytime pickdate deliverdate"
    " estimatedpicktime estimateddelivertime datetodelaypick datetodelaydeliver pickuptime thoigian expirytime expired"
)
_UNITS = (
    "province district ward pickprovince pickdistrict pickward provincename districtname wardname toprovincename"
    " todistrictname towardname fromprovincename fromdistrictname fromwardname towardcode fromwardcode wardcode provinceid"
    " districtid todistrictid fromdistrictid extensionnames nameextension parentid"
)
_NUMBERS = (
    "money pickmoney codamount codfailedamount insurancevalue ordervalue fee totalfee value weight totalweight quantity price"
    " cost length width height productweight productquantity productprice moneycollection moneytotal moneytotalfee"
    " moneyfeecod moneyfee kpiht area storageday shipmoney insurance detail pickworkshift deliverworkshift tags offset limit"
)
_NAMES = (
    "name fullname toname fromname returnname customerfullname pickname senderfullname receiverfullname employeename"
    " username productname content"
)
_PHONES = "tel phone tophone fromphone returnphone customertel picktel senderphone receiverphone employeephone returntel mobile"
_ADDRESSES = (
    "address toaddress fromaddress returnaddress pickaddress senderaddress receiveraddress toaddressv2 street hamlet"
    " pickstreet localioncurrently locationcurrently"
)
_SECRETS = "token password secret hash key authorization"


@cache
def kinds() -> dict[str, Kind]:
    """Normalised name of a field → what it holds. What is not here is TEXT."""
    listed = {
        Kind.HARMLESS: (_CODES, _STATES, _TIMES, _NUMBERS),
        Kind.UNIT: (_UNITS,),
        Kind.NAME: (_NAMES,),
        Kind.PHONE: (_PHONES,),
        Kind.ADDRESS: (_ADDRESSES,),
        Kind.SECRET: (_SECRETS,),
    }
    return {name: kind for kind, lists in listed.items() for names in lists for name in names.split()}


@cache
def carriers_words() -> frozenset[str]:
    """Texts of statuses and reasons, which may stand in any field."""
    roads = (GHTK_ROAD, GHN_ROAD, VIETTELPOST_ROAD)
    texts = (text for road in roads for text in (*road.text.values(), *road.reasons.values()))
    return frozenset(texts) | {"Success", "OK"}
