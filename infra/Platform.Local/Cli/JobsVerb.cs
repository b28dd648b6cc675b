using System.CommandLine;
using System.Text.Json;
using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform jobs</c>: submit, list, look at, read the log of, and cancel jobs.</summary>
internal static class JobsVerb
{
    public static Command Create() => new("jobs", "Submit jobs and follow them.") { JobsSubmitVerb.Create(), List(), Get(), Logs(), Cancel() };

    private static Command List()
    {
        var state = new Option<JobState?>("--state") { Description = "Only jobs in this state" };
        var limit = new Option<int?>("--limit") { Description = "Rows at most (default 50)" };
        var after = new Option<string?>("--after") { Description = "Go on after the row that the last page named as next" };
        var verb = ExampleHelp.Add(new Command("ls", "List jobs, newest first.") { state, limit, after, CommonOptions.Json }, "platform jobs ls --state Running");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var list = await client.ListJobsAsync(command.GetValue(after), command.GetValue(limit), command.GetValue(state)?.ToString(), cancellationToken);
            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine(JsonSerializer.Serialize(list, JobsJson.Default.JobList));
                return ExitCodes.Done;
            }

            var table = new Table().RoundedBorder().AddColumns("job", "kind", "state", "attempts", "submitted");
            foreach (var job in list.Jobs)
            {
                table.AddRow(job.Id, job.Kind, job.State.ToString(), job.Attempts.ToString(), Quantity.Ago(job.SubmittedAt, TimeProvider.System));
            }

            AnsiConsole.Write(table);
            if (list.Next is { } next)
            {
                AnsiConsole.MarkupLineInterpolated($"More: --after {next}");
            }

            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Get()
    {
        var id = IdArgument();
        var verb = ExampleHelp.Add(new Command("get", "Show a job: its state, why, its attempts, its result.") { id, CommonOptions.Json }, "platform jobs get job-0198f3b2a7c07000a1b2");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var job = await client.GetJobAsync(command.GetValue(id)!, cancellationToken);
            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine(JsonSerializer.Serialize(job, JobsJson.Default.JobStatus));
            }
            else
            {
                JobView.Write(job, AnsiConsole.Console);
            }

            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Logs()
    {
        var id = IdArgument();
        var attempt = new Option<int?>("--attempt") { Description = "Which attempt (default: the latest)" };
        var verb = ExampleHelp.Add(new Command("logs", "Print the log of a job's attempt.") { id, attempt }, "platform jobs logs job-0198f3b2a7c07000a1b2 --attempt 1");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            Console.Write(await client.GetJobLogAsync(command.GetValue(id)!, command.GetValue(attempt), cancellationToken));
            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Cancel()
    {
        var id = IdArgument();
        var verb = ExampleHelp.Add(new Command("cancel", "Cancel a job. A job that has ended stays as it is.") { id }, "platform jobs cancel job-0198f3b2a7c07000a1b2");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            await client.CancelJobAsync(command.GetValue(id)!, cancellationToken);
            var job = await client.GetJobAsync(command.GetValue(id)!, cancellationToken);
            Console.WriteLine($"{job.Id}: {job.State}. {job.Reason}");
            return ExitCodes.Done;
        });
        return verb;
    }

    private static Argument<string> IdArgument() => new("id") { Description = "Id of the job" };
}
