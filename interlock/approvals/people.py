"""Who people are: a subject with roles in tenants. Pure data, safe in a workflow."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

EVERY_TENANT = "*"
"""In the tenants of a person: all of them."""


Sorted = Annotated[tuple[str, ...], AfterValidator(lambda names: tuple(sorted(set(names))))]
"""Names, each once, in order: equal sets are equal in JSON and under a signature."""


class Role(StrEnum):
    """What the runtime itself asks for; a deployment adds names of its own, such as `finance`."""

    CALLER = "caller"
    """Sees what runs do."""
    REVIEWER = "reviewer"
    """Sees requests, and decides on them where a policy names nobody else."""
    OPERATOR = "operator"
    """Sees requests, and says what became of effects."""
    ADMIN = "admin"
    """Sees requests, and decides what a policy asks of it."""


class Person(BaseModel):
    """A person or a machine that was authenticated."""

    model_config = ConfigDict(frozen=True)

    subject: str = Field(min_length=1, max_length=200)
    """Who it is, for ever: the `sub` of an identity provider, or a name from configuration."""
    roles: Sorted = ()
    """Roles, built in or of the deployment."""
    tenants: Sorted = ()
    """Tenants whose requests and runs it may see; '*' stands for all."""
    name: str = Field(default="", max_length=200)
    """What others see of it; empty: the subject."""
    acts_for: str = Field(default="", max_length=200, exclude_if=lambda subject: not subject)
    """In whose place it decides, with whose roles and tenants; empty: in its own right."""

    @property
    def voices(self) -> tuple[str, ...]:
        """Subjects whose word its decision is: nobody is heard twice, by whomever."""
        return (self.subject, self.acts_for) if self.acts_for else (self.subject,)

    @property
    def may_be_asked(self) -> bool:
        """Whether this person may be asked about anything: has a role beside that of a caller."""
        return bool(set(self.roles) - {Role.CALLER})

    def may_see(self, tenant: str) -> bool:
        """Whether a tenant's requests and runs are shown to this person."""
        return EVERY_TENANT in self.tenants or tenant in self.tenants

    def has_role(self, role: str) -> bool:
        """Whether this person has a role."""
        return role in self.roles
