using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary>One job for people.</summary>
internal static class JobView
{
    public static void Write(JobStatus job, IAnsiConsole console)
    {
        console.MarkupLineInterpolated($"[bold]{job.Id}[/] {job.Spec.Kind}: [bold]{job.State}[/] ({job.Progress.Done} of {job.Progress.Total} items). {job.Reason}");
        console.Write(Attempts(job));
        if (job.Result is { } result)
        {
            console.MarkupLineInterpolated($"{result.Items} results, {result.Tokens} tokens: {result.Key}");
        }

        if (job.Failure is { } failure)
        {
            console.MarkupLineInterpolated($"[red]{failure.Message}[/] ({failure.Code})");
        }
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
