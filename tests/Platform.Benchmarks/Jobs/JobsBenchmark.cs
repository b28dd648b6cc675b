using System.CommandLine;
using Platform.Benchmarks.Dispatch;

namespace Platform.Benchmarks.Jobs;

/// <summary>What a job costs: durable submissions, jobs that only wait, the way from the submission to the running command. Redis and RabbitMQ are the peers of the same run.</summary>
internal static class JobsBenchmark
{
    public static Command Command()
    {
        var queued = BenchmarkOptions.Count("--queued", "Jobs that wait", 20_000);
        var noWaiting = new Option<bool>("--no-waiting") { Description = "Leave the jobs that wait out" };
        var command = new Command("jobs", "Submissions, jobs that wait, and the way to a running command, beside Redis and RabbitMQ.") { BenchmarkOptions.Json, queued, noWaiting };
        command.SetAction((options, _) => RunAsync(options.GetValue(noWaiting) ? 0 : options.GetValue(queued), options.GetValue(BenchmarkOptions.Json)));
        return command;
    }

    private static async Task<int> RunAsync(int queued, bool json)
    {
        var folder = Directory.CreateTempSubdirectory("jobs-").FullName;
        try
        {
            using var peers = new Peers(folder);
            var (redis, rabbit) = (await peers.StartRedisAsync(), await peers.StartRabbitMqAsync());
            await using var platform = await JobsPlatform.StartAsync(folder);
            var figures = new Figures();
            var (redisTimes, rabbitTimes) = await SubmissionSuite.RunAsync(figures, platform, redis, rabbit);
            if (queued > 0)
            {
                await WaitingSuite.RunAsync(figures, platform, queued);
            }

            await platform.StartWorkerAsync();
            await RunningSuite.RunAsync(figures, platform, redisTimes, rabbitTimes);
            figures.Print(json);
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
