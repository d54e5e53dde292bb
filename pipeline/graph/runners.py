"""Which runner works on the films: processes of this machine, or the one that Beam's options name.

Every runner is given the same graph (`pipeline.graph.build`) and makes the same bytes. What differs is
here: what a runner has to be told, what it cannot do, and how it says that a worker has failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
    TestOptions,
)
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipeline.runtime import interrupts

_PATIENCE = 20.0  # seconds for a job server to answer
_YEAR = 365 * 24 * 3600


def choose(
    beam_arguments: Sequence[str], pieces: int, verbose: bool
) -> tuple[PipelineOptions, Any, int]:
    """Beam's options, the runner (None where they name one) and the number of local workers.

    `pieces` is how many films, or segments of long ones, can be worked on at a time. Raises
    ValueError for an option that nobody knows, and as `_named_runner` does.
    """
    options = PipelineOptions(list(beam_arguments))
    options.view_as(SetupOptions).save_main_session = False
    runner = _named_runner(options, pieces) if name(options) else None
    if not options.view_as(PortableOptions).job_endpoint:  # a job server has options of its own
        _check_known(beam_arguments)
    if name(options):
        return options, runner, 1
    workers = os.cpu_count() or 1
    environment = None
    if not any(argument.startswith("--direct_") for argument in beam_arguments):
        options.view_as(DirectOptions).direct_num_workers = max(1, min(workers, pieces))
        environment = SubprocessSDKEnvironment.from_command_string(_worker_command(verbose))
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    runner = FnApiRunner(
        environment,
        provision_info=ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
        ),
    )
    return options, runner, workers


def _check_known(beam_arguments: Sequence[str]) -> None:
    """Raises ValueError for options that are not Beam's: it would pass over `--dryrun` in silence,
    and do all that was to be estimated."""
    parser: Any = argparse.ArgumentParser(
        add_help=False, allow_abbrev=False, conflict_handler="resolve", exit_on_error=False
    )
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)
    if unknown := parser.parse_known_args(list(beam_arguments))[1]:
        raise ValueError(
            f"unknown options: {' '.join(unknown)}; python -m pipeline dataset --help "
            "lists ours, and Beam's documentation those of its runners"
        )


def _named_runner(options: PipelineOptions, pieces: int) -> Any:
    """The runner that the options name, or None for Beam to make it; sets what it has to be told.

    Raises ValueError where it is not installed and OSError where its job server does not answer.
    """
    portable = options.view_as(PortableOptions)
    if portable.job_endpoint and portable.job_endpoint != "embed":
        _reach(portable.job_endpoint)
        # It limits also the one request that waits for the end of the job: to five minutes.
        portable.job_server_timeout = _YEAR
    if name(options) != "DaskRunner":
        return None
    try:  # Beam does not know it by this name, and it loads Dask
        from apache_beam.runners.dask.dask_runner import DaskOptions, DaskRunner
    except ImportError as error:
        raise ValueError("DaskRunner needs Dask: pip install 'apache-beam[dask]'") from error
    dask = options.view_as(DaskOptions)
    if not dask.npartitions and not dask.partition_size:
        dask.npartitions = max(1, min(pieces, 128))  # or one worker gets 128 films in a row
    return DaskRunner()


def _reach(endpoint: str) -> None:
    """Returns when a job server answers. Raises OSError where none does: Beam waits for good."""
    try:
        with grpc.insecure_channel(endpoint) as channel:
            grpc.channel_ready_future(channel).result(_PATIENCE)
    except grpc.FutureTimeoutError as error:
        raise OSError(f"no job server answers at {endpoint}: is it running?") from error


def name(options: PipelineOptions) -> str:
    """The runner that the options name, such as "DaskRunner", "" for none."""
    return (options.view_as(StandardOptions).runner or "").rpartition(".")[2]


def check(options: PipelineOptions, paths: Sequence[str]) -> None:
    """Raises ValueError where the runner and the rest of the call do not fit each other."""
    dataflow = name(options) == "DataflowRunner"
    if options.view_as(TestOptions).dry_run and not dataflow:
        raise ValueError("--dry_run is for DataflowRunner; --dry-run says what a run would take")
    for path in paths:
        if dataflow and "://" not in path:
            raise ValueError(
                f"{path}: workers of Dataflow see no files of this machine; films and "
                "--out have to be in a bucket, such as gs://bucket/films"
            )


def finish(pipeline: beam.Pipeline) -> Any:
    """Beam's result of a pipeline that has come to its end.

    Raises RuntimeError where a worker fails, with what it raised as text: some runners raise that
    itself, others an exception of their own.
    """
    with _missing_workers():
        result = pipeline.run()
    try:
        result.wait_until_finish()
    except KeyboardInterrupt:
        result.cancel()  # a cluster would go on
        raise
    except RuntimeError:
        raise
    except Exception as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error
    finally:
        if hasattr(result, "client"):  # Dask's, which would look for its cluster for ever
            result.client.close()
    with contextlib.suppress(FileNotFoundError):
        os.remove(worker_log())
    return result


@contextlib.contextmanager
def _missing_workers() -> Iterator[None]:
    """Raises RuntimeError in the block where a worker process of this machine dies. By itself Beam
    waits for good for one that dies before it has said that it is there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def noticed(number: int, frame: Any) -> None:
        if sys.exc_info()[0] is None:  # or it is ending already, and for a better reason
            interrupts.end_workers()
            raise RuntimeError("Channel closed: a worker process died")

    def failed(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread and arguments.thread.name == "run_worker":
            os.kill(os.getpid(), signal.SIGUSR1)  # which wakes up the main thread
        hook(arguments)

    hook, threading.excepthook = threading.excepthook, failed
    handler = signal.signal(signal.SIGUSR1, noticed)
    try:
        yield
    finally:
        threading.excepthook = hook
        signal.signal(signal.SIGUSR1, handler)


def _worker_command(verbose: bool) -> str:
    """How a worker process is started: its log, which is Beam's own chatter, goes to a file."""
    # Ctrl-C in a terminal goes to all; what it means is for this process to say. Without
    # these limits each thread that a model has run in keeps memory for itself: gigabytes.
    command = (
        "trap '' INT; export MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-2} "
        "MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-1048576}; "
        f"exec {shlex.quote(sys.executable)} -m pipeline.graph.worker {os.getpid()}"
    )
    return command if verbose else f"{command} 2>>{shlex.quote(worker_log())}"


def worker_log() -> str:
    """Where the workers of this process write their log."""
    return os.path.join(tempfile.gettempdir(), f"storystream-workers-{os.getpid()}.log")
