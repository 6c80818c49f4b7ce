"""The schema of the first release

No release migrates what was made before it (``schema.BEFORE_THE_FIRST_RELEASE``), and none migrates back: the way back
is a backup.
"""

import sqlalchemy as sa
from alembic import op

from services.database.base import Json, Moment, Whole

revision = "1000"
down_revision = None
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at IS NULL")
GROWING = ("audit_events", "audit_nodes", "audit_checkpoints", "audit_anchors")
REFUSAL = "the audit trail only grows"
NEWER = "the database is of a newer release: replace this process by one of that release"


def upgrade() -> None:
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", Whole, autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("signed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoints")),
    )
    op.create_table(
        "audit_events",
        sa.Column("seq", Whole, autoincrement=False, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=True),
        sa.Column("entry", sa.String(), nullable=False),
        sa.Column("leaf_sha256", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_events")),
    )
    op.create_index(op.f("ix_audit_events_action"), "audit_events", ["action"])
    op.create_index(op.f("ix_audit_events_application_id"), "audit_events", ["application_id"])
    op.create_index(op.f("ix_audit_events_subject_id"), "audit_events", ["subject_id"])

    op.create_table(
        "audit_nodes",
        sa.Column("level", Whole, autoincrement=False, nullable=False),
        sa.Column("position", Whole, autoincrement=False, nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name=op.f("pk_audit_nodes")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "departments",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("superior_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["superior_id"], ["departments.id"], name=op.f("fk_departments_superior_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departments")),
    )
    op.create_table(
        "number_series",
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("year", Whole, autoincrement=False, nullable=False),
        sa.Column("last", Whole, nullable=False),
        sa.PrimaryKeyConstraint("prefix", "year", name=op.f("pk_number_series")),
    )
    op.create_table(
        "recorders",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("configuration", Json, nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("make", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("identity", sa.String(), nullable=True),
        sa.Column("clock_offset_ms", Whole, nullable=True),
        sa.Column("clock_method", sa.String(), nullable=True),
        sa.Column("clock_uncertainty_ms", Whole, nullable=True),
        sa.Column("clock_measured_at", Moment(), nullable=True),
        sa.Column("last_seen_at", Moment(), nullable=True),
        sa.Column("polled_at", Moment(), nullable=True),
        sa.Column("last_error", Json, nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recorders")),
    )
    op.create_table(
        "reminders",
        sa.Column("job_key", Whole, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("sent_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("job_key", name=op.f("pk_reminders")),
    )
    op.create_index(op.f("ix_reminders_subject_id"), "reminders", ["subject_id"])

    op.create_table(
        "login_failures",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failures")),
    )
    op.create_index(op.f("ix_login_failures_address"), "login_failures", ["address"])
    op.create_index(op.f("ix_login_failures_at"), "login_failures", ["at"])

    op.create_table(
        "audit_anchors",
        sa.Column("size", Whole, autoincrement=False, nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("version_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("anchored_at", Moment(), nullable=False),
        sa.Column("retain_until", Moment(), nullable=True),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["size"], ["audit_checkpoints.size"], name=op.f("fk_audit_anchors_size")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_anchors")),
    )
    op.create_table(
        "cameras",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("recorder_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("name_zh", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=False),
        sa.Column("place_zh", sa.String(), nullable=False),
        sa.Column("place_en", sa.String(), nullable=False),
        sa.Column("camera_class", sa.String(), nullable=False),
        sa.Column("retention_days", Whole, nullable=False),
        sa.Column("oldest_frame_at", Moment(), nullable=True),
        sa.Column("oldest_measured_at", Moment(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("overwritten", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.ForeignKeyConstraint(["recorder_id"], ["recorders.id"], name=op.f("fk_cameras_recorder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cameras")),
    )
    op.create_index(op.f("ix_cameras_recorder_id"), "cameras", ["recorder_id"])

    op.create_table(
        "people",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("department_id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failed_logins", Whole, nullable=False),
        sa.Column("locked_until", Moment(), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("password_set_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_people_department_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("login", name=op.f("uq_people_login")),
    )
    op.create_table(
        "absences",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["added_by"], ["people.id"], name=op.f("fk_absences_added_by")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_absences_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absences")),
    )
    op.create_index(op.f("ix_absences_person_id"), "absences", ["person_id"])

    op.create_table(
        "agreement_texts",
        sa.Column("number", Whole, autoincrement=True, nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("text_zh", sa.String(), nullable=False),
        sa.Column("text_en", sa.String(), nullable=False),
        sa.Column("issued_at", Moment(), nullable=False),
        sa.Column("issued_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["issued_by"], ["people.id"], name=op.f("fk_agreement_texts_issued_by")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_agreement_texts")),
        sa.UniqueConstraint("version", name=op.f("uq_agreement_texts_version")),
    )
    op.create_table(
        "agreements",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("signed_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("statement_sha256", sa.String(), nullable=True),
        sa.Column("signature", Json, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_agreements_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreements")),
    )
    op.create_index(op.f("ix_agreements_person_id"), "agreements", ["person_id"])

    op.create_table(
        "applications",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("policy_version", sa.String(), nullable=False),
        sa.Column("drafter_id", sa.String(), nullable=False),
        sa.Column("department_id", sa.String(), nullable=False),
        sa.Column("custodian_id", sa.String(), nullable=True),
        sa.Column("previous_id", sa.String(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("submitted_at", Moment(), nullable=True),
        sa.Column("round", Whole, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("purpose_category", sa.String(), nullable=False),
        sa.Column("legal_basis", sa.String(), nullable=False),
        sa.Column("incident_reference", sa.String(), nullable=True),
        sa.Column("way_of_use", sa.String(), nullable=False),
        sa.Column("place_of_use", sa.String(), nullable=False),
        sa.Column("subject_ids", Json, nullable=False),
        sa.Column("recipient_ids", Json, nullable=True),
        sa.Column("requested_use_days", Whole, nullable=False),
        sa.Column("urgent_because", sa.String(), nullable=True),
        sa.Column("important_information", sa.Boolean(), nullable=False),
        sa.Column("sensitive_event", sa.Boolean(), nullable=False),
        sa.Column("high_impact", sa.Boolean(), nullable=False),
        sa.Column("sensitivities", Json, nullable=True),
        sa.Column("joint_department_ids", Json, nullable=True),
        sa.Column("importance", sa.String(), nullable=True),
        sa.Column("management_needed", sa.Boolean(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("second_person", sa.Boolean(), nullable=True),
        sa.Column("backup_needed", sa.Boolean(), nullable=True),
        sa.Column("max_use_days", Whole, nullable=True),
        sa.Column("granted_way_of_use", sa.String(), nullable=True),
        sa.Column("granted_use_days", Whole, nullable=True),
        sa.Column("process_instance_key", Whole, nullable=True),
        sa.Column("storage_notified_at", Moment(), nullable=True),
        sa.Column("correction_until", Moment(), nullable=True),
        sa.Column("correction_seconds", Whole, nullable=True),
        sa.Column("withdrawn_at", Moment(), nullable=True),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("closed_as", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["custodian_id"], ["people.id"], name=op.f("fk_applications_custodian_id")),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_applications_department_id")),
        sa.ForeignKeyConstraint(["drafter_id"], ["people.id"], name=op.f("fk_applications_drafter_id")),
        sa.ForeignKeyConstraint(["previous_id"], ["applications.id"], name=op.f("fk_applications_previous_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
        sa.UniqueConstraint("number", name=op.f("uq_applications_number")),
    )
    op.create_index(op.f("ix_applications_department_id"), "applications", ["department_id"])
    op.create_index(op.f("ix_applications_drafter_id"), "applications", ["drafter_id"])

    op.create_table(
        "camera_pictures",
        sa.Column("camera_id", sa.String(), nullable=False),
        sa.Column("encrypted", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("uploaded_by", sa.String(), nullable=False),
        sa.Column("uploaded_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_camera_pictures_camera_id")),
        sa.ForeignKeyConstraint(["uploaded_by"], ["people.id"], name=op.f("fk_camera_pictures_uploaded_by")),
        sa.PrimaryKeyConstraint("camera_id", name=op.f("pk_camera_pictures")),
    )
    op.create_table(
        "identities",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("bound_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["ended_by"], ["people.id"], name=op.f("fk_identities_ended_by")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_identities_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_person_id"), "identities", ["person_id"])
    op.create_index(
        "uq_identities_person",
        "identities",
        ["issuer", "person_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index(
        "uq_identities_subject",
        "identities",
        ["issuer", "subject"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )

    op.create_table(
        "passkey_challenges",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("challenge", sa.String(), nullable=False),
        sa.Column("statement", sa.String(), nullable=True),
        sa.Column("stated_at", Moment(), nullable=True),
        sa.Column("proved_by", sa.String(), nullable=True),
        sa.Column("rp_id", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_passkey_challenges_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey_challenges")),
    )
    op.create_index(op.f("ix_passkey_challenges_person_id"), "passkey_challenges", ["person_id"])

    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("credential_id", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("rp_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("proved_by", sa.String(), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.Column("last_used_at", Moment(), nullable=True),
        sa.Column("sign_count", Whole, nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_passkeys_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index(op.f("ix_passkeys_person_id"), "passkeys", ["person_id"])

    op.create_table(
        "posts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("department_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=True),
        sa.Column("assigned_by", sa.String(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_posts_department_id")),
        sa.ForeignKeyConstraint(["ended_by"], ["people.id"], name=op.f("fk_posts_ended_by")),
        sa.ForeignKeyConstraint(["assigned_by"], ["people.id"], name=op.f("fk_posts_assigned_by")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_posts_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
    )
    op.create_index(op.f("ix_posts_department_id"), "posts", ["department_id"])
    op.create_index(op.f("ix_posts_person_id"), "posts", ["person_id"])

    op.create_table(
        "retention_measurements",
        sa.Column("camera_id", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("measured_at", Moment(), nullable=False),
        sa.Column("oldest_frame_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_retention_measurements_camera_id")),
        sa.PrimaryKeyConstraint("camera_id", "day", name=op.f("pk_retention_measurements")),
    )
    op.create_table(
        "rule_changes",
        sa.Column("seq", Whole, autoincrement=True, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("old", sa.String(), nullable=True),
        sa.Column("new", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["changed_by"], ["people.id"], name=op.f("fk_rule_changes_changed_by")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_rule_changes")),
    )
    op.create_index(op.f("ix_rule_changes_rule"), "rule_changes", ["rule"])

    op.create_table(
        "second_factors",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("encrypted_secret", sa.String(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("confirmed_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("last_step", Whole, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_second_factors_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factors")),
    )
    op.create_index(op.f("ix_second_factors_person_id"), "second_factors", ["person_id"])

    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=True),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("last_seen_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("pending_step", sa.String(), nullable=True),
        sa.Column("browser_sha256", sa.String(), nullable=True),
        sa.Column("browser", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("issuer", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sessions_person_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_id"), "sessions", ["id"])
    op.create_index(op.f("ix_sessions_person_id"), "sessions", ["person_id"])

    op.create_table(
        "archive_entries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("archived_at", Moment(), nullable=False),
        sa.Column("in_order", sa.Boolean(), nullable=False),
        sa.Column("dispose_after", Moment(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_archive_entries_application_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archive_entries")),
        sa.UniqueConstraint("application_id", name=op.f("uq_archive_entries_application_id")),
    )
    op.create_table(
        "consultations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("round", Whole, nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("reminded_at", Moment(), nullable=True),
        sa.Column("form", Json, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("ended_because", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_consultations_application_id")),
        sa.ForeignKeyConstraint(["asked_by"], ["people.id"], name=op.f("fk_consultations_asked_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consultations")),
    )
    op.create_index(op.f("ix_consultations_application_id"), "consultations", ["application_id"])

    op.create_table(
        "drafts",
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("round", Whole, nullable=False),
        sa.Column("version", Whole, nullable=False),
        sa.Column("saved_at", Moment(), nullable=False),
        sa.Column("typed", Json, nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_drafts_application_id")),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_drafts")),
    )
    op.create_table(
        "findings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("round", Whole, nullable=False),
        sa.Column("check", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("zh", sa.String(), nullable=False),
        sa.Column("en", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=True),
        sa.Column("found_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_findings_application_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    op.create_index(op.f("ix_findings_application_id"), "findings", ["application_id"])

    op.create_table(
        "hand_overs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("custodian_id", sa.String(), nullable=False),
        sa.Column("agreement_id", sa.String(), nullable=True),
        sa.Column("offered_at", Moment(), nullable=False),
        sa.Column("take_up_until", Moment(), nullable=False),
        sa.Column("use_days", Whole, nullable=False),
        sa.Column("grace_seconds", Whole, nullable=True),
        sa.Column("accepted_at", Moment(), nullable=True),
        sa.Column("conditions_version", sa.String(), nullable=True),
        sa.Column("declined_at", Moment(), nullable=True),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("suspended_at", Moment(), nullable=True),
        sa.Column("returned_at", Moment(), nullable=True),
        sa.Column("lost_at", Moment(), nullable=True),
        sa.Column("loss", Json, nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreements.id"], name=op.f("fk_hand_overs_agreement_id")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_hand_overs_application_id")),
        sa.ForeignKeyConstraint(["custodian_id"], ["people.id"], name=op.f("fk_hand_overs_custodian_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_overs")),
        sa.UniqueConstraint("application_id", name=op.f("uq_hand_overs_application_id")),
    )
    op.create_index(op.f("ix_hand_overs_custodian_id"), "hand_overs", ["custodian_id"])

    op.create_table(
        "integrity_checks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("began_at", Moment(), nullable=False),
        sa.Column("heartbeat_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("bytes_total", Whole, nullable=False),
        sa.Column("bytes_read", Whole, nullable=False),
        sa.Column("objects", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_integrity_checks_application_id")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["people.id"], name=op.f("fk_integrity_checks_asked_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integrity_checks")),
    )
    op.create_index(op.f("ix_integrity_checks_application_id"), "integrity_checks", ["application_id"])

    op.create_table(
        "items",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("position", Whole, nullable=False),
        sa.Column("camera_id", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("asked_start", Moment(), nullable=False),
        sa.Column("asked_end", Moment(), nullable=False),
        sa.Column("granted_start", Moment(), nullable=True),
        sa.Column("granted_end", Moment(), nullable=True),
        sa.Column("dropped_in_round", Whole, nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("coverage", sa.Double(), nullable=True),
        sa.Column("reported", Json, nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_items_application_id")),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_items_camera_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
    )
    op.create_index(op.f("ix_items_application_id"), "items", ["application_id"])
    op.create_index(op.f("ix_items_camera_id"), "items", ["camera_id"])

    op.create_table(
        "notices",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("read_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_notices_application_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_notices_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_person_id"), "notices", ["person_id"])

    op.create_table(
        "outbox",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("correlation_key", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("variables", Json, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("next_at", Moment(), nullable=False),
        sa.Column("published_at", Moment(), nullable=True),
        sa.Column("attempts", Whole, nullable=False),
        sa.Column("settled_at", Moment(), nullable=True),
        sa.Column("settled_because", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_outbox_application_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outbox_message_id")),
    )
    op.create_index(op.f("ix_outbox_application_id"), "outbox", ["application_id"])
    op.create_index(op.f("ix_outbox_correlation_key"), "outbox", ["correlation_key"])
    op.create_index(op.f("ix_outbox_next_at"), "outbox", ["next_at"])
    op.create_index(op.f("ix_outbox_settled_at"), "outbox", ["settled_at"])

    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("factor_id", sa.String(), nullable=False),
        sa.Column("code_sha256", sa.String(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["factor_id"], ["second_factors.id"], name=op.f("fk_recovery_codes_factor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
    )
    op.create_index(op.f("ix_recovery_codes_factor_id"), "recovery_codes", ["factor_id"])

    op.create_table(
        "reviews",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("round", Whole, nullable=False),
        sa.Column("hand_over_id", sa.String(), nullable=True),
        sa.Column("job_key", Whole, nullable=False),
        sa.Column("process_instance_key", Whole, nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("escalated_at", Moment(), nullable=True),
        sa.Column("claimed_by", sa.String(), nullable=True),
        sa.Column("claimed_at", Moment(), nullable=True),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("closed_because", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_reviews_application_id")),
        sa.ForeignKeyConstraint(["claimed_by"], ["people.id"], name=op.f("fk_reviews_claimed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("job_key", name=op.f("uq_reviews_job_key")),
    )
    op.create_index(op.f("ix_reviews_application_id"), "reviews", ["application_id"])
    op.create_index(op.f("ix_reviews_hand_over_id"), "reviews", ["hand_over_id"])
    op.create_index(op.f("ix_reviews_stage"), "reviews", ["stage"])

    op.create_table(
        "revisions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("round", Whole, nullable=False),
        sa.Column("submitted_by", sa.String(), nullable=False),
        sa.Column("submitted_at", Moment(), nullable=False),
        sa.Column("form", Json, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_revisions_application_id")),
        sa.ForeignKeyConstraint(["submitted_by"], ["people.id"], name=op.f("fk_revisions_submitted_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revisions")),
        sa.UniqueConstraint("application_id", "round", name=op.f("uq_revisions_application_id")),
    )
    op.create_index(op.f("ix_revisions_application_id"), "revisions", ["application_id"])

    op.create_table(
        "process_steps",
        sa.Column("element_instance_key", Whole, autoincrement=False, nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("process_id", sa.String(), nullable=False),
        sa.Column("process_instance_key", Whole, nullable=False),
        sa.Column("element_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=True),
        sa.Column("began_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("attempts", Whole, nullable=False),
        sa.Column("stuck_since", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_process_steps_application_id")),
        sa.PrimaryKeyConstraint("element_instance_key", name=op.f("pk_process_steps")),
    )
    op.create_index(op.f("ix_process_steps_application_id"), "process_steps", ["application_id"])
    op.create_index(op.f("ix_process_steps_process_instance_key"), "process_steps", ["process_instance_key"])

    op.create_table(
        "uploads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("stated_start", Moment(), nullable=True),
        sa.Column("start_known_by", sa.String(), nullable=True),
        sa.Column("announced_size", Whole, nullable=True),
        sa.Column("announced_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("begun_at", Moment(), nullable=True),
        sa.Column("received_at", Moment(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("size", Whole, nullable=True),
        sa.Column("duration_ms", Whole, nullable=True),
        sa.Column("codecs", Json, nullable=True),
        sa.Column("file_start", Moment(), nullable=True),
        sa.Column("sealed", Json, nullable=True),
        sa.Column("abandoned_at", Moment(), nullable=True),
        sa.Column("abandoned_because", sa.String(), nullable=True),
        sa.Column("swept_at", Moment(), nullable=True),
        sa.Column("removed_at", Moment(), nullable=True),
        sa.Column("removed_because", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_uploads_application_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_uploads_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sa.UniqueConstraint("key", name=op.f("uq_uploads_key")),
    )
    op.create_index(op.f("ix_uploads_application_id"), "uploads", ["application_id"])
    op.create_index(op.f("ix_uploads_person_id"), "uploads", ["person_id"])

    op.create_table(
        "confirmations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("review_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("confirmed_at", Moment(), nullable=False),
        sa.Column("statement_sha256", sa.String(), nullable=False),
        sa.Column("signature", Json, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_confirmations_person_id")),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_confirmations_review_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmations")),
        sa.UniqueConstraint("review_id", "person_id", name=op.f("uq_confirmations_review_id")),
    )
    op.create_index(op.f("ix_confirmations_review_id"), "confirmations", ["review_id"])

    op.create_table(
        "consents",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("consultation_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("department_id", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("answered_at", Moment(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("statement_sha256", sa.String(), nullable=True),
        sa.Column("signature", Json, nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_consents_application_id")),
        sa.ForeignKeyConstraint(["consultation_id"], ["consultations.id"], name=op.f("fk_consents_consultation_id")),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_consents_department_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_consents_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_application_id"), "consents", ["application_id"])
    op.create_index(op.f("ix_consents_consultation_id"), "consents", ["consultation_id"])
    op.create_index(op.f("ix_consents_department_id"), "consents", ["department_id"])
    op.create_index(op.f("ix_consents_person_id"), "consents", ["person_id"])

    op.create_table(
        "custody_entries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("hand_over_id", sa.String(), nullable=False),
        sa.Column("seq", Whole, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=True),
        sa.Column("copy_id", sa.String(), nullable=True),
        sa.Column("detail", Json, nullable=False),
        sa.Column("previous_sha256", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["hand_over_id"], ["hand_overs.id"], name=op.f("fk_custody_entries_hand_over_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_custody_entries_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custody_entries")),
        sa.UniqueConstraint("hand_over_id", "seq", name=op.f("uq_custody_entries_hand_over_id")),
    )
    op.create_index(op.f("ix_custody_entries_hand_over_id"), "custody_entries", ["hand_over_id"])

    op.create_table(
        "decisions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("review_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("round", Whole, nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("stands_in_for", sa.String(), nullable=True),
        sa.Column("decided_at", Moment(), nullable=False),
        sa.Column("answers", Json, nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("opinion", sa.String(), nullable=True),
        sa.Column("variables", Json, nullable=False),
        sa.Column("form_sha256", sa.String(), nullable=False),
        sa.Column("statement_sha256", sa.String(), nullable=False),
        sa.Column("signature", Json, nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_decisions_application_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name=op.f("fk_decisions_decided_by")),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_decisions_review_id")),
        sa.ForeignKeyConstraint(["stands_in_for"], ["people.id"], name=op.f("fk_decisions_stands_in_for")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("review_id", name=op.f("uq_decisions_review_id")),
    )
    op.create_index(op.f("ix_decisions_application_id"), "decisions", ["application_id"])

    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("notice_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("next_at", Moment(), nullable=False),
        sa.Column("attempts", Whole, nullable=False),
        sa.Column("delivered_at", Moment(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("last_detail", sa.String(), nullable=True),
        sa.Column("given_up_at", Moment(), nullable=True),
        sa.Column("escalated_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_deliveries_notice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_notice_id"), "deliveries", ["notice_id"])
    op.create_index("ix_deliveries_waiting", "deliveries", ["channel", "given_up_at", "delivered_at", "next_at"])

    op.create_table(
        "documents",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=True),
        sa.Column("item_id", sa.String(), nullable=True),
        sa.Column("subject_id", sa.String(), nullable=True),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_documents_application_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_documents_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("kind", "subject_id", name=op.f("uq_documents_kind")),
        sa.UniqueConstraint("number", name=op.f("uq_documents_number")),
    )
    op.create_index(op.f("ix_documents_application_id"), "documents", ["application_id"])

    op.create_table(
        "inspections",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("hand_over_id", sa.String(), nullable=False),
        sa.Column("inspected_at", Moment(), nullable=False),
        sa.Column("hashes", Json, nullable=False),
        sa.Column("findings", Json, nullable=False),
        sa.ForeignKeyConstraint(["hand_over_id"], ["hand_overs.id"], name=op.f("fk_inspections_hand_over_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspections")),
        sa.UniqueConstraint("hand_over_id", name=op.f("uq_inspections_hand_over_id")),
    )
    op.create_table(
        "progress",
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("size", Whole, nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("attempts", Whole, nullable=False),
        sa.Column("heartbeat_at", Moment(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("last_error_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_progress_application_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_progress_item_id")),
        sa.PrimaryKeyConstraint("item_id", "purpose", name=op.f("pk_progress")),
    )
    op.create_index(op.f("ix_progress_application_id"), "progress", ["application_id"])

    op.create_table(
        "proposals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("review_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("proposed_at", Moment(), nullable=False),
        sa.Column("statement", Json, nullable=False),
        sa.Column("statement_sha256", sa.String(), nullable=False),
        sa.Column("signature", Json, nullable=False),
        sa.Column("refused_by", sa.String(), nullable=True),
        sa.Column("refused_at", Moment(), nullable=True),
        sa.Column("refused_because", sa.String(), nullable=True),
        sa.Column("refusal_sha256", sa.String(), nullable=True),
        sa.Column("refusal_signature", Json, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_proposals_person_id")),
        sa.ForeignKeyConstraint(["refused_by"], ["people.id"], name=op.f("fk_proposals_refused_by")),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_proposals_review_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
    )
    op.create_index(op.f("ix_proposals_review_id"), "proposals", ["review_id"])

    op.create_table(
        "protections",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("recorder_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("span_start", Moment(), nullable=False),
        sa.Column("span_end", Moment(), nullable=False),
        sa.Column("requested_at", Moment(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("released_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_protections_application_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_protections_item_id")),
        sa.ForeignKeyConstraint(["recorder_id"], ["recorders.id"], name=op.f("fk_protections_recorder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_protections")),
    )
    op.create_index(op.f("ix_protections_application_id"), "protections", ["application_id"])
    op.create_index(op.f("ix_protections_item_id"), "protections", ["item_id"])
    op.create_index(op.f("ix_protections_recorder_id"), "protections", ["recorder_id"])

    op.create_table(
        "returns",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("hand_over_id", sa.String(), nullable=False),
        sa.Column("returned_by", sa.String(), nullable=False),
        sa.Column("returned_at", Moment(), nullable=False),
        sa.Column("return_to", sa.String(), nullable=False),
        sa.Column("attestation", Json, nullable=False),
        sa.Column("statement_sha256", sa.String(), nullable=False),
        sa.Column("signature", Json, nullable=False),
        sa.ForeignKeyConstraint(["hand_over_id"], ["hand_overs.id"], name=op.f("fk_returns_hand_over_id")),
        sa.ForeignKeyConstraint(["returned_by"], ["people.id"], name=op.f("fk_returns_returned_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returns")),
        sa.UniqueConstraint("hand_over_id", name=op.f("uq_returns_hand_over_id")),
    )
    op.create_table(
        "upload_attempts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("job_key", Whole, nullable=False),
        sa.Column("bucket", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("version_id", sa.String(), nullable=True),
        sa.Column("abandoned_at", Moment(), nullable=True),
        sa.Column("abandoned_because", sa.String(), nullable=True),
        sa.Column("swept_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_upload_attempts_application_id")
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_upload_attempts_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_attempts")),
        sa.UniqueConstraint("key", name=op.f("uq_upload_attempts_key")),
    )
    op.create_index(op.f("ix_upload_attempts_application_id"), "upload_attempts", ["application_id"])
    op.create_index(op.f("ix_upload_attempts_item_id"), "upload_attempts", ["item_id"])

    op.create_table(
        "violations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("hand_over_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_violations_application_id")),
        sa.ForeignKeyConstraint(["hand_over_id"], ["hand_overs.id"], name=op.f("fk_violations_hand_over_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_violations")),
        sa.UniqueConstraint("hand_over_id", "kind", name=op.f("uq_violations_hand_over_id")),
    )
    op.create_index(op.f("ix_violations_application_id"), "violations", ["application_id"])

    op.create_table(
        "masters",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("attempt_id", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("retrieved_at", Moment(), nullable=False),
        sa.Column("sealed", Json, nullable=False),
        sa.Column("replica", Json, nullable=True),
        sa.Column("replica_verified_at", Moment(), nullable=True),
        sa.Column("archived_at", Moment(), nullable=True),
        sa.Column("dispose_after", Moment(), nullable=True),
        sa.Column("discarded_at", Moment(), nullable=True),
        sa.Column("discarded_because", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_masters_application_id")),
        sa.ForeignKeyConstraint(["attempt_id"], ["upload_attempts.id"], name=op.f("fk_masters_attempt_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_masters_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_masters")),
        sa.UniqueConstraint("attempt_id", name=op.f("uq_masters_attempt_id")),
        sa.UniqueConstraint("item_id", name=op.f("uq_masters_item_id")),
    )
    op.create_index(op.f("ix_masters_application_id"), "masters", ["application_id"])

    op.create_table(
        "preservations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("attempt_id", sa.String(), nullable=False),
        sa.Column("preserved_at", Moment(), nullable=False),
        sa.Column("asked_start", Moment(), nullable=False),
        sa.Column("asked_end", Moment(), nullable=False),
        sa.Column("sealed", Json, nullable=False),
        sa.Column("released_at", Moment(), nullable=True),
        sa.Column("released_because", sa.String(), nullable=True),
        sa.Column("discarded_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_preservations_application_id")),
        sa.ForeignKeyConstraint(["attempt_id"], ["upload_attempts.id"], name=op.f("fk_preservations_attempt_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_preservations_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preservations")),
        sa.UniqueConstraint("attempt_id", name=op.f("uq_preservations_attempt_id")),
    )
    op.create_index(op.f("ix_preservations_application_id"), "preservations", ["application_id"])
    op.create_index(op.f("ix_preservations_item_id"), "preservations", ["item_id"])

    op.create_table(
        "copies",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("master_id", sa.String(), nullable=False),
        sa.Column("attempt_id", sa.String(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("sealed", Json, nullable=False),
        sa.Column("hand_over_id", sa.String(), nullable=True),
        sa.Column("key_destroyed_at", Moment(), nullable=True),
        sa.Column("discarded_at", Moment(), nullable=True),
        sa.Column("discarded_because", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_copies_application_id")),
        sa.ForeignKeyConstraint(["attempt_id"], ["upload_attempts.id"], name=op.f("fk_copies_attempt_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_copies_item_id")),
        sa.ForeignKeyConstraint(["master_id"], ["masters.id"], name=op.f("fk_copies_master_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_copies")),
        sa.UniqueConstraint("attempt_id", name=op.f("uq_copies_attempt_id")),
        sa.UniqueConstraint("item_id", name=op.f("uq_copies_item_id")),
    )
    op.create_index(op.f("ix_copies_application_id"), "copies", ["application_id"])
    op.create_index(op.f("ix_copies_hand_over_id"), "copies", ["hand_over_id"])

    op.create_table(
        "downloads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("copy_id", sa.String(), nullable=False),
        sa.Column("hand_over_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("medium", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("reads", Whole, nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name=op.f("fk_downloads_copy_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_downloads_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_downloads")),
    )
    op.create_index(op.f("ix_downloads_copy_id"), "downloads", ["copy_id"])
    op.create_index(op.f("ix_downloads_hand_over_id"), "downloads", ["hand_over_id"])
    op.create_index(op.f("ix_downloads_person_id"), "downloads", ["person_id"])

    op.create_table(
        "grants",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("copy_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("suspended_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("ended_because", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name=op.f("fk_grants_copy_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_grants_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index(op.f("ix_grants_copy_id"), "grants", ["copy_id"])
    op.create_index(op.f("ix_grants_person_id"), "grants", ["person_id"])

    op.create_table(
        "viewings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("copy_id", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("last_read_at", Moment(), nullable=True),
        sa.Column("reads", Whole, nullable=False),
        sa.Column("bytes_read", Whole, nullable=False),
        sa.Column("ranges", Json, nullable=False),
        sa.ForeignKeyConstraint(["copy_id"], ["copies.id"], name=op.f("fk_viewings_copy_id")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_viewings_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_viewings")),
    )
    op.create_index(op.f("ix_viewings_copy_id"), "viewings", ["copy_id"])
    op.create_index(op.f("ix_viewings_person_id"), "viewings", ["person_id"])

    _let_the_trail_only_grow(op.get_bind().dialect.name)


def _let_the_trail_only_grow(dialect: str) -> None:
    """Refuse by triggers to change or remove a row of the audit trail (R52)."""
    if dialect == "sqlite":
        for table in GROWING:
            for verb in ("update", "delete"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}: {verb.upper()} of {table}'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}: % of %', TG_OP, TG_TABLE_NAME; END $$"
    )
    # A part that gives no number takes the database for unreachable by this code, says why, and tries again.
    op.execute(
        "CREATE FUNCTION audit_numbered() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{NEWER}' USING ERRCODE = 'cannot_connect_now'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_events_numbered BEFORE INSERT ON audit_events "
        "FOR EACH ROW WHEN (NEW.seq IS NULL) EXECUTE FUNCTION audit_numbered()"
    )
    for table in GROWING:
        op.execute(
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()"
        )
