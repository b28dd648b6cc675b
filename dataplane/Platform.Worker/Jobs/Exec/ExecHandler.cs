using System.Globalization;
using Microsoft.Extensions.Options;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;

namespace Platform.Worker.Jobs.Exec;

/// <summary>Runs a command: artifacts as files, a scratch folder, an output folder that becomes the result, a checkpoint folder that the next attempt finds.</summary>
/// <remarks>A line <c>::progress 3/10</c> on its output is the job's progress. The README beside this file says what the command finds in its environment.</remarks>
internal sealed class ExecHandler(NvmeTier tier, IObjectStorage storage, WorkerNode node, TimeProvider time, IOptions<WorkerOptions> options) : IJobHandler
{
    private const string ProgressMark = "::progress ";
    private static readonly TimeSpan QuotaCheck = TimeSpan.FromMilliseconds(500);

    /// <summary>When the node itself stops there is little time: the lease must be handed back before it runs out.</summary>
    private static readonly TimeSpan GraceAtStop = TimeSpan.FromSeconds(2);

    public string Kind => JobKinds.Exec;

    public async Task<JobResult> RunAsync(JobContext context, CancellationToken cancellationToken)
    {
        if (!options.Value.ExecEnabled || !CommandProcess.IsSupported)
        {
            throw new JobFailedException(new JobFailure(ErrorCodes.ExecDisabled, $"{node.Name} does not allow jobs of kind '{JobKinds.Exec}'; its operator enables them with Worker:ExecEnabled, on Linux.", false));
        }

        using var folders = new ExecFolders(Path.Combine(node.WorkFolder, $"{context.Request.JobId}-{context.Request.Token}"));
        await using var artifacts = new ArtifactLeases(tier, storage);
        var started = time.GetTimestamp();
        var checkpoint = new CheckpointSync(storage, context.Request.JobId, folders.Checkpoint);
        await artifacts.StageAsync(context.Spec.Artifacts ?? new Dictionary<string, string>(), folders.Artifacts, cancellationToken);
        var restored = await checkpoint.RestoreAsync(cancellationToken);
        context.Staging = time.GetElapsedTime(started);
        context.Log.Write($"{context.Spec.Artifacts?.Count ?? 0} artifact(s) of {artifacts.LengthBytes} bytes are here, and {restored} file(s) of an earlier checkpoint.");

        var code = await RunCommandAsync(context, folders, checkpoint, cancellationToken);
        context.Log.Write($"The command ended with exit code {code}.");
        if (code != 0)
        {
            throw new JobFailedException(new JobFailure(ErrorCodes.CommandFailed, Explain(context.Spec.Command![0], code), true) { ExitCode = code });
        }

        var prefix = ObjectKeys.JobOutput(context.Request.JobId, context.Request.Token);
        var (files, length) = await FolderUpload.SendAsync(storage, folders.Output, prefix, OutputLimit(context), cancellationToken);
        return new JobResult(prefix, files, 0) { LengthBytes = length, ExitCode = 0 };
    }

    public async Task CleanUpAsync(JobContext context, LeaseAnswer answer, CancellationToken cancellationToken)
    {
        // Refused by a job that has succeeded: it may be this very attempt, whose accepted report was not heard. What is nobody's result is found by the sweep.
        if (answer.State != JobState.Succeeded)
        {
            await FolderUpload.DeleteAsync(storage, ObjectKeys.JobOutput(context.Request.JobId, context.Request.Token), cancellationToken);
        }

        if (JobTransitions.IsTerminal(answer.State))
        {
            await FolderUpload.DeleteAsync(storage, ObjectKeys.JobCheckpoint(context.Request.JobId), cancellationToken);
        }
    }

    private async Task<int> RunCommandAsync(JobContext context, ExecFolders folders, CheckpointSync checkpoint, CancellationToken cancellationToken)
    {
        var asked = context.Spec.Resources ?? new JobResources();
        using var group = ControlGroup.TryCreate($"platform-{context.Request.JobId}-{context.Request.Token}", asked, out var noGroup);
        if (noGroup is not null)
        {
            context.Log.Write($"Processors and memory are counted but not limited: {noGroup}.");
        }

        using var process = CommandProcess.Start([.. context.Spec.Command!.Select(folders.Expand)], folders.Scratch, EnvironmentOf(context, folders), group, line => Take(context, line));
        using var watch = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var keeping = checkpoint.KeepEveryAsync(options.Value.CheckpointEvery, time, context.Log.Write, watch.Token);
        var overQuota = WatchQuotaAsync(context, folders, watch.Token);
        var exit = process.WaitAsync(watch.Token);
        try
        {
            var first = await Task.WhenAny(exit, overQuota);
            if (first == overQuota && await overQuota is { } fault)
            {
                await process.StopAsync(TimeSpan.Zero, time);
                throw new JobFailedException(new JobFailure(ErrorCodes.QuotaExceeded, fault, false));
            }

            return await exit;
        }
        catch (OperationCanceledException)
        {
            var grace = context.NodeStops ? GraceAtStop : context.Spec.GraceSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : options.Value.Grace;
            context.Log.Write($"The command is told to stop (SIGTERM); in {grace.TotalSeconds:0.#} s it is killed.");
            await process.StopAsync(grace, time);
            throw;
        }
        finally
        {
            await watch.CancelAsync();
            await keeping;
            await overQuota;
            using var last = new CancellationTokenSource(GraceAtStop, time);
            await checkpoint.KeepAsync(last.Token);
        }
    }

    /// <summary>Completes with what is too large, or with null once it is cancelled.</summary>
    private async Task<string?> WatchQuotaAsync(JobContext context, ExecFolders folders, CancellationToken cancellationToken)
    {
        var scratchLimit = context.Spec.Resources is { ScratchBytes: > 0 } asked ? asked.ScratchBytes : options.Value.ScratchBytes;
        while (true)
        {
            var (scratch, output) = (ExecFolders.LengthOf(folders.Scratch), ExecFolders.LengthOf(folders.Output));
            if (scratch > scratchLimit)
            {
                return $"The scratch folder holds {scratch} bytes; the job may write {scratchLimit} (resources.scratchBytes, or the node's standard).";
            }

            if (output > OutputLimit(context))
            {
                return $"The output folder holds {output} bytes; the job may write {OutputLimit(context)} (resources.outputBytes, or the node's standard).";
            }

            await Task.Delay(QuotaCheck, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancellationToken.IsCancellationRequested)
            {
                return null;
            }
        }
    }

    private Dictionary<string, string> EnvironmentOf(JobContext context, ExecFolders folders)
    {
        var environment = (context.Spec.Environment ?? new Dictionary<string, string>()).ToDictionary(variable => variable.Key, variable => folders.Expand(variable.Value));
        environment.TryAdd("PATH", Environment.GetEnvironmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin");
        environment.TryAdd("HOME", folders.Scratch);
        environment["TMPDIR"] = folders.Scratch;
        environment[VisibleDevices.Variable] = VisibleDevices.OfThisProcess.ValueFor(context.Devices);
        environment["PLATFORM_JOB_ID"] = context.Request.JobId;
        environment["PLATFORM_ATTEMPT"] = context.Request.Attempt.ToString(CultureInfo.InvariantCulture);
        environment["PLATFORM_NODE"] = node.Name;
        environment["PLATFORM_ARTIFACTS"] = folders.Artifacts;
        environment["PLATFORM_SCRATCH"] = folders.Scratch;
        environment["PLATFORM_OUTPUT"] = folders.Output;
        environment["PLATFORM_CHECKPOINT"] = folders.Checkpoint;
        if (context.Spec.Member is { } member)
        {
            environment["PLATFORM_ARRAY_INDEX"] = member.Index.ToString(CultureInfo.InvariantCulture);
            environment["PLATFORM_ARRAY_SIZE"] = member.Size.ToString(CultureInfo.InvariantCulture);
        }

        return environment;
    }

    private long OutputLimit(JobContext context) => context.Spec.Resources is { OutputBytes: > 0 } asked ? asked.OutputBytes : options.Value.OutputBytes;

    private static void Take(JobContext context, string line)
    {
        context.Log.Write(line);
        if (line.StartsWith(ProgressMark, StringComparison.Ordinal)
            && line[ProgressMark.Length..].Split('/') is [var done, var total]
            && int.TryParse(done, NumberStyles.None, CultureInfo.InvariantCulture, out var doneNumber)
            && int.TryParse(total, NumberStyles.None, CultureInfo.InvariantCulture, out var totalNumber)
            && doneNumber <= totalNumber)
        {
            context.Progress = new JobProgress(doneNumber, totalNumber);
        }
    }

    private static string Explain(string program, int code) => code > 128
        ? $"'{program}' was ended by signal {code - 128}."
        : $"'{program}' ended with exit code {code}; the log has what it printed.";
}
