"""Chooses the Beam runner: processes on this machine, or the one that Beam's options name.

Every runner executes the same graph (`pipeline.graph.build`) and makes the same bytes. What differs
is here: the options a runner needs, what it cannot do, and how it reports that a worker has failed.
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

_JOB_SERVER_TIMEOUT = 20.0  # seconds
_YEAR = 365 * 24 * 3600  # seconds


def choose(
    beam_arguments: Sequence[str], segments: int, verbose: bool
) -> tuple[PipelineOptions, Any, int]:
    """Returns Beam's options, the runner (None if Beam makes it) and the number of local workers.

    `segments` is how many films, or segments of long ones, can be processed at the same time.
    Raises ValueError for an unknown option, and as `_named_runner` does.
    """
    options = PipelineOptions(list(beam_arguments))
    options.view_as(SetupOptions).save_main_session = False
    runner = _named_runner(options, segments) if name(options) else None
    if not options.view_as(PortableOptions).job_endpoint:  # a job server has options of its own
        _check_known(beam_arguments)
    if name(options):
        return options, runner, 1
    workers = os.cpu_count() or 1
    environment = None
    if not any(argument.startswith("--direct_") for argument in beam_arguments):
        options.view_as(DirectOptions).direct_num_workers = max(1, min(workers, segments))
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
    """Raises ValueError for options that Beam does not know.

    Beam itself ignores them: `--dryrun`, for `--dry-run`, would start the run.
    """
    parser: Any = argparse.ArgumentParser(
        add_help=False, allow_abbrev=False, conflict_handler="resolve", exit_on_error=False
    )
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)
    if unknown := parser.parse_known_args(list(beam_arguments))[1]:
        raise ValueError(
            f"unknown options: {' '.join(unknown)}; see python -m pipeline dataset --help, and "
            "Beam's documentation for options of its runners"
        )


def _named_runner(options: PipelineOptions, segments: int) -> Any:
    """Returns the runner that the options name, None for Beam to make it; sets options it needs.

    Raises ValueError if it is not installed and OSError if its job server does not respond.
    """
    portable = options.view_as(PortableOptions)
    if portable.job_endpoint and portable.job_endpoint != "embed":
        _await_job_server(portable.job_endpoint)
        # It also limits the request that waits for the end of the job, by default to five minutes.
        portable.job_server_timeout = _YEAR
    if name(options) != "DaskRunner":
        return None
    try:  # Beam does not find it by its name, and importing it loads Dask
        from apache_beam.runners.dask.dask_runner import DaskOptions, DaskRunner
    except ImportError as error:
        raise ValueError("DaskRunner needs Dask: pip install 'apache-beam[dask]'") from error
    dask = options.view_as(DaskOptions)
    if not dask.npartitions and not dask.partition_size:
        # By default Beam puts 128 films into a partition, for one worker.
        dask.npartitions = max(1, min(segments, 128))
    return DaskRunner()


def _await_job_server(endpoint: str) -> None:
    """Returns when a job server responds. Raises OSError if none does; Beam would wait forever."""
    try:
        with grpc.insecure_channel(endpoint) as channel:
            grpc.channel_ready_future(channel).result(_JOB_SERVER_TIMEOUT)
    except grpc.FutureTimeoutError as error:
        raise OSError(f"no job server responds at {endpoint}: is it running?") from error


def name(options: PipelineOptions) -> str:
    """Returns the name of the runner in the options, such as "DaskRunner", "" for none."""
    return (options.view_as(StandardOptions).runner or "").rpartition(".")[2]


def check(options: PipelineOptions, paths: Sequence[str]) -> None:
    """Raises ValueError if the runner cannot do what the options ask, or read or write `paths`."""
    dataflow = name(options) == "DataflowRunner"
    if options.view_as(TestOptions).dry_run and not dataflow:
        raise ValueError("--dry_run is for DataflowRunner; use --dry-run to estimate a run")
    for path in paths:
        if dataflow and "://" not in path:
            raise ValueError(
                f"{path}: Dataflow workers cannot access files on this machine; films and "
                "--out must be in a bucket, such as gs://bucket/films"
            )


def run_and_wait(pipeline: beam.Pipeline) -> Any:
    """Runs a pipeline and returns Beam's result when it has ended.

    Raises RuntimeError if a worker fails, with the text of the worker's error: some runners raise
    that themselves, others an exception of their own.
    """
    with _failing_on_dead_workers():
        result = pipeline.run()
    try:
        result.wait_until_finish()
    except KeyboardInterrupt:
        result.cancel()  # a cluster would continue
        raise
    except RuntimeError:
        raise
    except Exception as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error
    finally:
        if hasattr(result, "client"):  # Dask's, which would try forever to reach its cluster
            result.client.close()
    with contextlib.suppress(FileNotFoundError):
        os.remove(worker_log())
    return result


@contextlib.contextmanager
def _failing_on_dead_workers() -> Iterator[None]:
    """Raises RuntimeError in the block if a worker process on this machine dies.

    Beam itself would wait forever for a worker that dies before it has connected.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: Any) -> None:
        if sys.exc_info()[0] is None:  # else another error is being raised, which says more
            interrupts.end_workers()
            raise RuntimeError("Channel closed: a worker process died")

    def on_thread_error(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread and arguments.thread.name == "run_worker":
            os.kill(os.getpid(), signal.SIGUSR1)  # interrupts the main thread
        previous_hook(arguments)

    previous_hook, threading.excepthook = threading.excepthook, on_thread_error
    previous_handler = signal.signal(signal.SIGUSR1, on_signal)
    try:
        yield
    finally:
        threading.excepthook = previous_hook
        signal.signal(signal.SIGUSR1, previous_handler)


def _worker_command(verbose: bool) -> str:
    """Returns the command that starts a worker; its log goes to a file, unless `verbose`."""
    # A terminal sends Ctrl-C to all processes; only the driver handles it. Without a limit to
    # arenas, each thread that a model has run in retains memory: gigabytes in all. Blocks up to
    # 32 MiB come from the heap: as mappings of their own the system would clear each frame's anew,
    # for a third of all CPU time.
    command = (
        "trap '' INT; export MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-2} "
        "MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-33554432} "
        "MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-67108864}; "
        f"exec {shlex.quote(sys.executable)} -m pipeline.graph.worker {os.getpid()}"
    )
    return command if verbose else f"{command} 2>>{shlex.quote(worker_log())}"


def worker_log() -> str:
    """Returns the path of the log of this process's workers."""

    return os.path.join(tempfile.gettempdir(), f"storystream-workers-{os.getpid()}.log")
