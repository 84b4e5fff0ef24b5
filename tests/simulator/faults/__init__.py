"""What can go wrong with the API, each as a small object, and where it does (`Faults.add`).

A fault either gives another reply (`Replied`), deforms the body of a right one (`Deformed`), or takes the
connection and does as it likes with it (`OnWire`). All of them end when the client goes away or the server stops.
"""

from tests.simulator.faults.bodies import (
    DuplicateRows,
    EndlessPages,
    NoData,
    NoTotal,
    NullRows,
    RowWithoutId,
    WrongTotal,
    WrongTypes,
)
from tests.simulator.faults.kinds import Deformed, Fault, Hang, OnWire, Replied
from tests.simulator.faults.on_wire import (
    Chunked,
    Disconnect,
    Drip,
    EndlessHeaders,
    HugeBody,
    Informational,
    Reset,
    Truncated,
)
from tests.simulator.faults.replies import HTML, EmptyBody, NotJson, Redirect, Status
from tests.simulator.faults.rules import FaultRule, Faults

__all__ = [
    "HTML",
    "Chunked",
    "Deformed",
    "Disconnect",
    "Drip",
    "DuplicateRows",
    "EmptyBody",
    "EndlessHeaders",
    "EndlessPages",
    "Fault",
    "FaultRule",
    "Faults",
    "Hang",
    "HugeBody",
    "Informational",
    "NoData",
    "NoTotal",
    "NotJson",
    "NullRows",
    "OnWire",
    "Redirect",
    "Replied",
    "Reset",
    "RowWithoutId",
    "Status",
    "Truncated",
    "WrongTotal",
    "WrongTypes",
]
