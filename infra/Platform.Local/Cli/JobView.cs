using System.Text.Json;
using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary>One job for people.</summary>
internal static class JobView
{
    public static void Write(JobStatus job, IAnsiConsole console)
    {
        var items = job.Progress.Total > 0 ? $" ({job.Progress.Done} of {job.Progress.Total} items)" : "";
        console.MarkupLineInterpolated($"[bold]{job.Id}[/] {job.Spec.Kind}: [bold]{job.State}[/]{items}. {job.Reason}");
        if (job.Attempts.Count > 0)
        {
            console.Write(Attempts(job));
        }

        if (job.Result is { } result)
        {
            console.MarkupLineInterpolated($"{ResultOf(job, result)}: {result.Key}");
        }

        if (job.Array is { } array)
        {
            console.MarkupLineInterpolated($"{array.Size} indexes: {array.Submitted} submitted, {array.Succeeded} succeeded, {array.Failed} failed{(array.FailedIndexes.Count > 0 ? $" ({string.Join(", ", array.FailedIndexes)})" : "")}, {array.Cancelled} cancelled. Each is the job {job.Id}-INDEX.");
        }

        if (job.Webhook is { } webhook)
        {
            console.MarkupLineInterpolated($"Webhook: {(webhook.DeliveredAt is { } at ? $"delivered {at:u}" : webhook.NextAt is { } next ? $"not delivered yet, next try {next:u}" : "given up")}; tries: {webhook.Tries}. {webhook.LastError}");
        }

        if (job.ExpiresAt is { } expires)
        {
            console.MarkupLineInterpolated($"Everything about it is removed {expires:u}.");
        }

        if (job.Failure is { } failure)
        {
            console.MarkupLineInterpolated($"[red]{(failure.Message == job.Reason ? "failed" : failure.Message)}[/] ({failure.Code})");
        }
    }

    private static string ResultOf(JobStatus job, JobResult result) => job.Spec switch
    {
        { Array: not null } => $"{result.Items} results, {result.Tokens} tokens",
        { Kind: JobKinds.BatchInfer } => $"{result.Items} results in order, {result.Tokens} tokens",
        _ => $"{result.Items} file(s), {Quantity.Bytes(result.LengthBytes)}",
    };

    /// <summary>Writes a job to standard output, for people or as JSON.</summary>
    /// <returns>The exit code: failed if the job has ended without success.</returns>
    public static int WriteAs(JobStatus job, bool json)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(job, JobsJson.Default.JobStatus));
        }
        else
        {
            Write(job, AnsiConsole.Console);
        }

        return JobTransitions.IsTerminal(job.State) && job.State != JobState.Succeeded ? ExitCodes.Failed : ExitCodes.Done;
    }

    /// <summary>Rows of a listing as a table.</summary>
    public static Table Rows(IEnumerable<JobSummary> jobs)
    {
        var table = new Table().RoundedBorder().AddColumns("job", "kind", "state", "attempts", "submitted");
        foreach (var job in jobs)
        {
            table.AddRow(job.Id, job.Kind, job.State.ToString(), job.Attempts.ToString(), Quantity.Ago(job.SubmittedAt, TimeProvider.System));
        }

        return table;
    }

    /// <summary>The attempts as a table, times in seconds after the submission.</summary>
    public static Table Attempts(JobStatus job)
    {
        string After(DateTimeOffset? then) => then is { } time ? $"{(time - job.SubmittedAt).TotalSeconds:0.00} s" : "";
        var table = new Table().RoundedBorder().AddColumns("attempt", "token", "worker", "placed", "started", "ended", "outcome");
        foreach (var attempt in job.Attempts)
        {
            table.AddRow(attempt.Number.ToString(), attempt.Token.ToString(), attempt.Worker, After(attempt.PlacedAt), After(attempt.StartedAt), After(attempt.EndedAt), Markup.Escape(attempt.Outcome ?? "running"));
        }

        return table;
    }
}
