using System.Globalization;
using Platform.Benchmarks.Dispatch;

namespace Platform.Benchmarks.Jobs;

/// <summary>What a job costs: durable submissions, jobs that only wait, the way from the submission to the running command. Redis and RabbitMQ are the peers of the same run.</summary>
/// <remarks><c>--queued N</c> sets how many jobs wait (20,000; the issue asks for 100,000); <c>--no-waiting</c> leaves that part out.</remarks>
internal static class JobsBenchmark
{
    private const int StandardQueued = 20_000;

    public static async Task<int> RunAsync(string[] args)
    {
        var queued = Array.IndexOf(args, "--queued") is var at and >= 0 && at + 1 < args.Length ? int.Parse(args[at + 1], CultureInfo.InvariantCulture) : StandardQueued;
        var folder = Directory.CreateTempSubdirectory("jobs-").FullName;
        try
        {
            using var peers = new Peers(folder);
            var (redis, rabbit) = (await peers.StartRedisAsync(), await peers.StartRabbitMqAsync());
            await using var platform = await JobsPlatform.StartAsync(folder);
            var figures = new Figures();
            var (redisTimes, rabbitTimes) = await SubmissionSuite.RunAsync(figures, platform, redis, rabbit);
            if (!args.Contains("--no-waiting"))
            {
                await WaitingSuite.RunAsync(figures, platform, queued);
            }

            await platform.StartWorkerAsync();
            await RunningSuite.RunAsync(figures, platform, redisTimes, rabbitTimes);
            figures.Print(args.Contains("--json"));
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
