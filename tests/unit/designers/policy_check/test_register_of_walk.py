"""What the register of a walk says: the same to each job that asks, until the application is corrected."""

from services.designers.policy_check.case import Register


def test_what_a_first_job_was_told_holds_for_the_second() -> None:
    register = Register().fixing({"cameraClass": "sensitive", "onBehalf": False})

    assert register.says({"cameraClass": "sensitive", "securityFindings": 3})
    assert not register.says({"cameraClass": "ordinary"})
    assert not register.says({"onBehalf": True})
    assert register.says({"decision": "approved"})


def test_what_was_told_first_is_kept() -> None:
    register = Register().fixing({"onBehalf": True}).fixing({"onBehalf": False, "cameraClass": "ordinary"})

    assert dict(register.fixed) == {"onBehalf": True, "cameraClass": "ordinary"}
