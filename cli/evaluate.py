"""`forgery-eval`: judge a checkpoint on stores."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.screen import Bars, out, run_app
from cli.train import Device, Precision, Stores, stores_of
from pipeline.errors import ConfigError

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog="--debug shows the traceback of an error.")
def evaluate(
    checkpoint: Annotated[Path, typer.Option(help="A best.ckpt of forgery-train.")],
    store: Stores = None,
    preset: Annotated[
        str,
        typer.Option(help="Row of the paper's tables: judge what its figures are of, and put ours beside them; "
                     "forgery-train --settings lists them."),
    ] = "",
    split: Annotated[
        str, typer.Option(help="train, val, test, or all.  [default: test; with --preset, that of its figures]")
    ] = "",
    compression: Annotated[str, typer.Option(help="Rows of this compression alone.  [default: all]")] = "",
    frames: Annotated[int, typer.Option(min=0, help="Frames of each video, evenly spaced; 0: all.")] = 0,
    perturb: Annotated[
        list[str] | None,
        typer.Option(help="Judge degraded crops too, such as jpeg:60; again for more; jpeg alone: the papers' sweep. "
                     "Kinds: jpeg, blur, resize, noise, mean, h264."),
    ] = None,
    partial: Annotated[
        list[str] | None,
        typer.Option(help="Judge fakes forged in one region alone too: eyes, nose, mouth, lower, upper, left, right, "
                     "or all."),
    ] = None,
    device: Device = "auto",
    precision: Precision = "32",
    batch_size: Annotated[int, typer.Option(min=1, help="Rows judged at once.")] = 32,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE over the checkpoint's settings, as score=pixels; again for more."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=0, help="Bootstrap draws behind each interval; 0: none.")] = 1000,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for results.  [default: eval beside the checkpoint]")
    ] = None,
    sheet: Annotated[bool, typer.Option(help="Draw a sheet of predictions.")] = True,
    picture: Annotated[
        list[str] | None,
        typer.Option(help="Draw a picture as the papers have it: noise, sigma, maps, features, residuals, or all; "
                     "again for more."),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="Put another evaluation beside this one on the page: a run's folder or a metrics.json; "
                     "again for more."),
    ] = None,
    as_json: options.AsJson = False,
    version: options.Version = False,
) -> None:  # fmt: skip
    """Judge a detector by frames, videos and maps, for each store, compression and method."""
    from models import pictures
    from models.comparison import compare as comparison
    from models.evaluation import page, report, visualise
    from models.evaluation.evaluate import Request
    from models.evaluation.evaluate import evaluate as judge

    request = Request(
        stores_of(store), checkpoint, split or "test", compression, frames, tuple(perturb or ()), tuple(partial or ()),
        device, precision, batch_size, rounds, settings=tuple(set_ or ()),
    )  # fmt: skip
    shown = pictures.check(picture or ())
    others = page.others(compare or [])  # before the work: a name that is wrong shows at once
    wanted = comparison.prepare(request, preset, split) if preset else None
    found = judge(wanted.request if wanted else request, Bars())
    if wanted:
        found.result["preset"] = comparison.compare(wanted, found)
    folder = out_dir or checkpoint.parent / "eval"
    files = report.write(found, folder)
    if sheet:
        files.append(folder / visualise.SHEET)
        visualise.draw(found, files[-1])
    drawn, left_out = pictures.draw(shown, found, folder)
    files += drawn
    files.append(folder / page.PAGE)
    page.write(found, files[-1], others)
    if as_json:
        out.print(json.dumps(found.result), markup=False)
    else:
        out.print(report.screen(found.result), markup=False)
        if wanted:
            out.print(comparison.screen(found.result["preset"]), markup=False)
        out.print(f"Wrote {', '.join(map(str, files))}.", markup=False)
        for name in sorted(left_out.keys() - {*(picture or ())}):  # of `all`
            out.print(left_out[name], markup=False)
    if asked := [reason for name, reason in left_out.items() if name in (picture or ())]:
        raise ConfigError(" ".join(asked))  # last: all else is written


def main() -> None:
    """Run the command line."""
    run_app(app)
