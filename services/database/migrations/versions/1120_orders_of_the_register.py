"""Indexes in the orders of the register: by department and by due date; and of all cases by age"""

from alembic import op

revision = "1120"
down_revision = "1115"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_applications_of_department", "applications", ["department_id", "listed_at", "id"])
    op.drop_index("ix_applications_department_id", "applications")  # the one above serves its queries
    op.create_index("ix_applications_created", "applications", ["created_at", "id"])
    op.create_index("ix_hand_overs_due", "hand_overs", ["due_at", "application_id"])
    op.create_index("ix_departments_named", "departments", ["name_zh", "id"], unique=True)
