using System.CommandLine;
using System.Text.Json;
using Platform.Jobs;
using Platform.Jobs.Schemas;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform jobs</c>: submit, list, look at, read the log of, cancel and repeat jobs.</summary>
internal static class JobsVerb
{
    private const int StandardRows = 50;

    public static Command Create() => new("jobs", "Submit jobs and follow them.") { JobsSubmitVerb.Create(), List(), Get(), Logs(), Cancel(), JobsDeadLettersVerb.CreateRetry(), JobsDeadLettersVerb.Create(), Schema() };

    private static Command List()
    {
        var state = new Option<JobState?>("--state") { Description = "Only jobs in this state" };
        var kind = new Option<string?>("--kind") { Description = "Only jobs of this kind" };
        kind.AcceptOnlyFromAmong([.. JobKinds.All]);
        var label = new Option<string[]>("--label", "-l") { Description = "Only jobs with this label, name=value; may be there more than once" };
        var since = CommonOptions.Since("Only jobs submitted at this time or later");
        var limit = new Option<int>("--limit") { Description = "Rows at most", DefaultValueFactory = _ => StandardRows };
        var after = new Option<string?>("--after") { Description = "Go on after the row that the last page named as next" };
        var verb = ExampleHelp.Add(new Command("ls", "List jobs, newest first.") { state, kind, label, since, limit, after, CommonOptions.Json }, "platform jobs ls --state Running --label tenant=blue");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var list = await client.ListJobsAsync(
                new JobListRequest(command.GetValue(after), command.GetValue(limit), command.GetValue(state))
                {
                    Kind = command.GetValue(kind),
                    Since = command.GetValue(since),
                    Labels = LabelsOf(command.GetValue(label)),
                },
                cancellationToken);
            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine(JsonSerializer.Serialize(list, JobsJson.Default.JobList));
                return ExitCodes.Done;
            }

            AnsiConsole.Write(JobView.Rows(list.Jobs));
            if (list.Next is { } next)
            {
                AnsiConsole.MarkupLineInterpolated($"More: --after {next}");
            }

            return ExitCodes.Done;
        });
        return verb;
    }

    private static Dictionary<string, string> LabelsOf(string[]? labels) => (labels ?? []).ToDictionary(
        label => label.IndexOf('=', StringComparison.Ordinal) is > 0 and var at ? label[..at] : throw new PlatformException($"'{label}' is not a label; expected name=value.", ExitCodes.Usage),
        label => label[(label.IndexOf('=', StringComparison.Ordinal) + 1)..]);

    private static Command Schema()
    {
        var openApi = new Option<bool>("--openapi") { Description = "Print the OpenAPI 3.1 document of the platform instead" };
        var verb = ExampleHelp.Add(new Command("schema", "Print the JSON schema of a job spec. Needs no platform.") { openApi }, "platform jobs schema > job.schema.json");
        verb.SetAction(command =>
        {
            var document = command.GetValue(openApi) ? OpenApiDocument.Create() : JobSchemas.JobSpec();
            Console.WriteLine(document.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
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
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on as lines come, over all attempts, to the end of the job" };
        var verb = ExampleHelp.Add(new Command("logs", "Print the log of a job's attempt.") { id, attempt, follow }, "platform jobs logs job-0198f3b2a7c07000a1b2 --attempt 1", "platform jobs logs job-0198f3b2a7c07000a1b2 -f");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            if (command.GetValue(follow))
            {
                await JobLogFollower.FollowAsync(client, command.GetValue(id)!, Console.Out, cancellationToken);
                return ExitCodes.Done;
            }

            var log = await client.GetJobLogAsync(command.GetValue(id)!, command.GetValue(attempt), cancellationToken);
            Console.Write(log);
            if (log.Length == 0)
            {
                Console.Error.WriteLine(WhyEmpty(await client.GetJobAsync(command.GetValue(id)!, cancellationToken)));
            }

            return ExitCodes.Done;
        });
        return verb;
    }

    private static string WhyEmpty(JobStatus job) => job switch
    {
        { Spec.Array: not null } => $"{job.Id} is an array, and each of its indexes has a log: platform jobs logs {job.Id}-0",
        { Attempts.Count: 0 } => $"{job.Id} has had no attempt. {job.Reason}",
        _ => $"The log of {job.Id} is empty so far.",
    };

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
