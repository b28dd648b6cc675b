using System.Diagnostics;
using Platform.Benchmarks.Dispatch;

namespace Platform.Benchmarks.Jobs;

/// <summary>Submissions until they are acknowledged as durable, beside a push to Redis (fsync always) and a confirmed persistent message of RabbitMQ.</summary>
internal static class SubmissionSuite
{
    private const int WarmUps = 500;
    private const int Singles = 500;
    private const int Many = 4000;
    public const int AtOnce = 16;

    /// <returns>Times from push to pop of Redis and from publishing to delivery of RabbitMQ; null where it is not installed.</returns>
    public static async Task<(List<TimeSpan>? Redis, List<TimeSpan>? Rabbit)> RunAsync(Figures figures, JobsPlatform platform, int? redis, int? rabbit)
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, WarmUps), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, _) => await platform.SubmitAsync($"warm-{i}"));
        var times = new List<TimeSpan>();
        for (var i = 0; i < Singles; i++)
        {
            var begin = Stopwatch.GetTimestamp();
            await platform.SubmitAsync($"one-{i}");
            times.Add(Stopwatch.GetElapsedTime(begin));
        }

        var redisTimes = redis is { } redisPort ? await RedisQueue.MeasureAsync(redisPort, Singles) : null;
        var (rabbitConfirms, rabbitTimes) = rabbit is { } rabbitPort ? await RabbitMqPeer.MeasureAsync(rabbitPort, Singles) : (null, null);
        figures.AddTimes("submit, durable, one at a time", times);
        figures.AddTimes("redis push to pop, fsync always", redisTimes);
        figures.AddTimes("rabbitmq publish to confirm, persistent", rabbitConfirms);
        figures.AddTimes("rabbitmq publish to delivery, persistent", rabbitTimes);
        figures.AddRatio("submit / redis push to pop, p50", times, redisTimes);
        figures.AddRatio("submit / rabbitmq confirm, p50", times, rabbitConfirms);

        var ours = await RateAsync(platform);
        double? redisRate = redis is { } port ? await RedisPeer.PushRateAsync(port, Many, AtOnce) : null;
        double? rabbitRate = rabbit is { } broker ? await RabbitMqPeer.ConfirmRateAsync(broker, Many, AtOnce) : null;
        figures.Add($"submissions/s, durable, {AtOnce} at once", ours, "1/s");
        figures.Add($"redis pushes/s, fsync always, {AtOnce} at once", redisRate, "1/s");
        figures.Add($"rabbitmq confirmed messages/s, {AtOnce} at once", rabbitRate, "1/s");
        figures.Add("submissions / redis pushes", ours / redisRate, "");
        figures.Add("submissions / rabbitmq messages", ours / rabbitRate, "");
        return (redisTimes, rabbitTimes);
    }

    private static async Task<double> RateAsync(JobsPlatform platform)
    {
        var began = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(Enumerable.Range(0, Many), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, _) => await platform.SubmitAsync($"many-{i}"));
        return Many / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }
}
