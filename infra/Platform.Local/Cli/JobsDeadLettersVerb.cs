using System.CommandLine;
using System.Text.Json;
using Platform.Jobs;
using Spectre.Console;

namespace Platform.Local.Cli;

/// <summary><c>platform jobs retry</c> and <c>platform jobs dead-letters</c>: what ended badly, once more. The ended job stays as it is; its repetition has an id of its own.</summary>
internal static class JobsDeadLettersVerb
{
    private const int PageRows = 500;

    public static Command CreateRetry()
    {
        var id = new Argument<string>("id") { Description = "Id of the job that has ended" };
        var wait = new Option<bool>("--wait", "-w") { Description = "Wait for the end; exit code 0 only if the job succeeded" };
        var verb = ExampleHelp.Add(new Command("retry", "Submit the spec of an ended job again, under the id ID-retry-N. The same command twice makes one job.") { id, wait, CommonOptions.Json }, "platform jobs retry my-job --wait");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var json = command.GetValue(CommonOptions.Json);
            var job = await client.RetryJobAsync(command.GetValue(id)!, cancellationToken);
            if (command.GetValue(wait))
            {
                job = await JobProgressBar.WaitAsync(client, job.Id, CommonOptions.ConsoleFor(json), cancellationToken);
            }

            return JobView.WriteAs(job, json);
        });
        return verb;
    }

    public static Command Create() => new("dead-letters", "Jobs that used all of their attempts.") { List(), Replay() };

    private static Command List()
    {
        var verb = ExampleHelp.Add(new Command("ls", "List dead-lettered jobs, newest first.") { CommonOptions.Json }, "platform jobs dead-letters ls --json");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var jobs = await AllAsync(client, cancellationToken);
            if (command.GetValue(CommonOptions.Json))
            {
                Console.WriteLine(JsonSerializer.Serialize(new JobList(jobs, null), JobsJson.Default.JobList));
            }
            else
            {
                AnsiConsole.Write(JobView.Rows(jobs));
            }

            return ExitCodes.Done;
        });
        return verb;
    }

    private static Command Replay()
    {
        var id = new Argument<string?>("id") { Description = "Id of the job", Arity = ArgumentArity.ZeroOrOne };
        var all = new Option<bool>("--all") { Description = "All dead-lettered jobs" };
        var verb = ExampleHelp.Add(new Command("replay", "Submit dead-lettered jobs again.") { id, all }, "platform jobs dead-letters replay --all");
        verb.SetAction(async (command, cancellationToken) =>
        {
            using var client = CommonOptions.Connect(command);
            var named = command.GetValue(id);
            if ((named is null) != command.GetValue(all))
            {
                throw new PlatformException("Name one job, or say --all.", ExitCodes.Usage);
            }

            foreach (var job in named is null ? (await AllAsync(client, cancellationToken)).Select(row => row.Id) : [named])
            {
                var again = await client.RetryJobAsync(job, cancellationToken);
                Console.WriteLine($"{job}: {again.Id} is {again.State}.");
            }

            return ExitCodes.Done;
        });
        return verb;
    }

    private static async Task<List<JobSummary>> AllAsync(PlatformClient client, CancellationToken cancellationToken)
    {
        var jobs = new List<JobSummary>();
        string? after = null;
        do
        {
            var page = await client.ListJobsAsync(new JobListRequest(after, PageRows, JobState.DeadLettered), cancellationToken);
            jobs.AddRange(page.Jobs);
            after = page.Next;
        }
        while (after is not null);
        return jobs;
    }
}
