"""The verifier as people call it: as a command, and as the one file in each package, with nothing else of ours."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import package_tampering as tampering
import pytest
from evidence_case import Made
from pypdf import PdfReader
from typer.testing import CliRunner

from services.cli.main import app
from services.verifier import pyz
from services.verifier.main import main
from services.verifier.report import BROKEN, SOUND, UNKNOWN
from services.verifier.titles import ENCLOSED

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


def test_the_file_runs_with_python_and_cryptography_alone(made: Made, tmp_path: Path) -> None:
    """In a Python without this environment: nothing of ours, and of others cryptography and what it is made of."""
    released, enclosed = tmp_path / "verify.pyz", tmp_path / "enclosed.pyz"
    assert run.invoke(app, ["verifier", "--out", str(released)]).exit_code == 0
    with zipfile.ZipFile(made.clear) as archive:
        enclosed.write_bytes(archive.read("verify.pyz"))
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

    def ended(program: Path, *arguments: str) -> tuple[int, str]:
        command = [python, "-I", "-S", "-c", code, program, made.clear, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    assert ended(released)[0] == 2
    assert ended(released, "--trust", made.fingerprints["root"])[0] == 0
    assert ended(released, "--trust", "1" * 64)[0] == 1
    code_of_it, told = ended(enclosed, "--trust", made.fingerprints["root"])
    assert code_of_it == 2
    assert told.startswith("本程序就在被核验的包内")
    assert "This program came in the package that it checks" in told
    assert told.splitlines()[-1].endswith("Consistent by the package's own program, which proves nothing by itself.")


def test_the_copy_in_the_package_never_ends_with_zero(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    trusted = [str(made.clear), "--trust", made.fingerprints["root"]]

    for lang, sentence in zip(("zh", "en"), ENCLOSED, strict=True):
        assert main([*trusted, "--lang", lang], enclosed=True) == UNKNOWN
        assert capsys.readouterr().out.startswith(sentence)
        assert main([*trusted, "--lang", lang]) == SOUND
        assert sentence not in capsys.readouterr().out
    assert main([*trusted, "--json"], enclosed=True) == UNKNOWN
    told = json.loads(capsys.readouterr().out)
    assert (told["exitCode"], told["trusted"], told["enclosed"]["en"]) == (UNKNOWN, True, ENCLOSED[1])
    assert main([str(made.clear), "--trust", "1" * 64], enclosed=True) == BROKEN


def test_the_file_is_always_the_same_and_its_hash_is_printed(made: Made, tmp_path: Path) -> None:
    target = tmp_path / "verify.pyz"

    printed = run.invoke(app, ["verifier", "--out", str(target)]).output

    built = target.read_bytes()
    pyz.build.cache_clear()
    assert pyz.build() == built
    sha256 = hashlib.sha256(built).hexdigest()
    assert pyz.sha256() == sha256
    assert f"sha256:{sha256}" in printed
    with zipfile.ZipFile(made.clear) as archive:
        assert archive.read("verify.pyz") == pyz.build(enclosed=True) != built
    for name in (member for member in made_documents(made) if member.endswith(".pdf")):
        pdf = PdfReader(io.BytesIO(tampering.read(made.clear)[name]))
        assert sha256 in "".join(page.extract_text() for page in pdf.pages).replace("\n", "")


def made_documents(made: Made) -> list[str]:
    return [name for name in tampering.read(made.clear) if name.startswith("documents/")]


def test_a_verifier_that_cannot_be_written_gets_a_sentence(tmp_path: Path) -> None:
    ended = run.invoke(app, ["verifier", "--out", str(tmp_path)])

    assert ended.exit_code == 1
    assert "name another file" in ended.output


def test_what_stands_in_a_package_steers_no_terminal(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a\x1b[2Jb.zip"
    shutil.copy(made.clear, target)

    main([str(target)])

    assert "\x1b" not in capsys.readouterr().out
