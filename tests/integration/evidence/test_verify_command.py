"""The verifier as people call it: as a command, and as the one file in each package, with nothing else of ours."""

import json
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from evidence_case import Made
from typer.testing import CliRunner

from services.cli.main import app
from services.evidence import pyz
from services.verifier.main import main

run = CliRunner()


def test_the_command_ends_as_the_report_does(made: Made) -> None:
    root = made.fingerprints["root"]

    assert run.invoke(app, ["verify", str(made.clear)]).exit_code == 2
    assert run.invoke(app, ["verify", str(made.clear), "--trust", f"sha256:{root}"]).exit_code == 0
    assert run.invoke(app, ["verify", str(made.clear), "--trust", "0" * 64]).exit_code == 1
    assert run.invoke(app, ["verify", str(made.clear), "--trust", root, "--trust", "--json"]).exit_code == 1


@pytest.mark.parametrize("arguments", [[], ["missing.zip"], ["a.zip", "b.zip"], ["a.zip", "--what"], ["--trust"]])
def test_a_wrong_call_of_the_command_ends_with_one(arguments: list[str]) -> None:
    ended = run.invoke(app, ["verify", *arguments])

    assert ended.exit_code == 1
    assert ended.output


@pytest.mark.parametrize("arguments", [[], ["missing.zip"], ["missing.zip", "--lang", "fr"], ["a", "b"], ["--what"]])
def test_a_wrong_call_ends_with_one_and_a_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(str(ended.code))

    told = capsys.readouterr()
    assert code == 1
    assert told.out + told.err


def test_each_check_is_a_line_in_both_languages_or_one(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(made.clear), "--lang", "both"])
    both = capsys.readouterr().out
    main([str(made.clear), "--lang", "zh"])
    chinese = capsys.readouterr().out
    main([str(made.clear), "--lang", "en"])
    english = capsys.readouterr().out

    assert "PASS 成立  清单由封签密钥签署 · the manifest is signed by the seal key" in both
    assert "成立  清单由封签密钥签署  [manifest.dsse.json]" in chinese
    assert "PASS  the manifest is signed by the seal key  [manifest.dsse.json]" in english
    for name, value in made.fingerprints.items():
        assert f"{name:<5} sha256:{value}" in both


@pytest.mark.parametrize("spelled", [str.upper, lambda text: ":".join(text[at : at + 2] for at in range(0, 64, 2))])
def test_a_fingerprint_may_be_spelled_as_people_do(made: Made, spelled: object) -> None:
    text = spelled(made.fingerprints["seal"])  # type: ignore[operator]

    assert main([str(made.clear), "--trust", text]) == 0
    assert main([str(made.clear), "--trust", f"SHA256: {text}"]) == 0


def test_the_report_is_json_for_machines(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(made.clear), "--json", "--trust", made.fingerprints["root"]])

    told = json.loads(capsys.readouterr().out)
    assert (code, told["exitCode"], told["trusted"]) == (0, 0, True)
    assert {line["status"] for line in told["checks"]} <= {"pass", "note"}
    assert told["application"].startswith("SQ-")


def test_the_file_in_the_package_runs_with_python_and_cryptography_alone(made: Made, tmp_path: Path) -> None:
    """In a Python without this environment: nothing of ours, and of others cryptography and what it is made of."""
    with zipfile.ZipFile(made.clear) as archive:
        archive.extract("verify.pyz", tmp_path)
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for name in ("cryptography", "cffi", "_cffi_backend", "pycparser"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            (libraries / source.name).symlink_to(source)
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    code = f"import runpy, sys; sys.path.append({str(libraries)!r}); sys.argv = sys.argv[1:]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"

    def ended(*arguments: str) -> int:
        command = [python, "-I", "-S", "-c", code, tmp_path / "verify.pyz", made.clear, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode

    assert ended() == 2
    assert ended("--trust", made.fingerprints["root"]) == 0
    assert ended("--trust", "1" * 64) == 1


def test_the_file_is_always_the_same(made: Made) -> None:
    with zipfile.ZipFile(made.clear) as archive:
        assert archive.read("verify.pyz") == pyz.build() == pyz.build()


def test_what_stands_in_a_package_steers_no_terminal(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a\x1b[2Jb.zip"
    shutil.copy(made.clear, target)

    main([str(target)])

    assert "\x1b" not in capsys.readouterr().out
