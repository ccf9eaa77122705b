"""The ledger's one door: each group of tables as an attribute. SQL lives in the modules behind it."""

from import_project.store.ledger.alerts import Alerts
from import_project.store.ledger.apis import Apis
from import_project.store.ledger.arrivals import Arrivals
from import_project.store.ledger.audit import Audit
from import_project.store.ledger.database import Database
from import_project.store.ledger.dead_letters import DeadLetters
from import_project.store.ledger.decisions import Decisions
from import_project.store.ledger.heartbeats import Heartbeats
from import_project.store.ledger.jobs import Jobs
from import_project.store.ledger.outcomes import Outcomes
from import_project.store.ledger.payments import Payments
from import_project.store.ledger.postings import Postings
from import_project.store.ledger.sightings import Sightings
from import_project.store.ledger.statements import Statements
from import_project.store.ledger.steps import Steps
from import_project.store.ledger.tokens import Tokens
from import_project.store.watermark import Watermark


class Ledger:
    """Opens the database at `url` (sqlite or postgresql) when it is first asked something. Without a `watermark` nobody
    notices that it is older than what was done."""

    def __init__(self, url: str, watermark: Watermark | None = None) -> None:
        self.database = Database(url, watermark)
        self.arrivals = Arrivals(self.database)
        self.sightings = Sightings(self.database)
        self.decisions = Decisions(self.database)
        self.postings = Postings(self.database)
        self.dead_letters = DeadLetters(self.database)
        self.apis = Apis(self.database)
        self.audit = Audit(self.database)
        self.payments = Payments(self.database)
        self.statements = Statements(self.database)
        self.outcomes = Outcomes(self.database)
        self.alerts = Alerts(self.database)
        self.steps = Steps(self.database)
        self.heartbeats = Heartbeats(self.database)
        self.jobs = Jobs(self.database)
        self.tokens = Tokens(self.database)

    def close(self) -> None:
        """Give all connections back."""
        self.database.close()
