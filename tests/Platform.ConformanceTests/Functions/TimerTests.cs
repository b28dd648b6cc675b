using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>Checks 17 and 18: timers, their status, and retries.</summary>
public sealed class TimerTests
{
    [Fact]
    public async Task Timer_EverySecond_GoesOnThoughTheHandlerFails()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await Timer("* * * * * *").Answer("Tick", """{"failures":1}""").StartAsync();

        var ticks = await app.InvocationsAsync("Tick", 3);
        var timer = ticks[0]["envelope"]!["Data"]!["timer"]!;

        Assert.False(timer["IsPastDue"]!.GetValue<bool>());
        Assert.Null(timer["ScheduleStatus"]);
        Assert.True(timer["Schedule"]!["AdjustForDST"]!.GetValue<bool>());
    }

    [Fact]
    public async Task Timer_ThatMissedARun_MakesUpForItOnceAndShowsItsStatus()
    {
        TestFunctionApp.NeedsNode();
        await using var app = Timer("0 0 0 1 1 *");
        Directory.CreateDirectory(Path.Combine(app.State, "timers"));
        await File.WriteAllTextAsync(Path.Combine(app.State, "timers", "Tick.json"), """{"Last":"2020-01-01T00:00:00+00:00","Next":"2021-01-01T00:00:00+00:00","LastUpdated":"2020-01-01T00:00:00+00:00"}""", TestContext.Current.CancellationToken);
        await app.StartAsync();

        var timer = (await app.InvocationsAsync("Tick", 1))[0]["envelope"]!["Data"]!["timer"]!;
        await app.StopAsync();
        var kept = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(app.State, "timers", "Tick.json"), TestContext.Current.CancellationToken))!;

        Assert.True(timer["IsPastDue"]!.GetValue<bool>());
        Assert.StartsWith("2020-01-01", timer["ScheduleStatus"]!["Last"]!.ToString(), StringComparison.Ordinal);
        Assert.True(kept["Next"]!.GetValue<DateTimeOffset>() > DateTimeOffset.UnixEpoch.AddYears(55));
        Assert.Single(await app.InvocationsAsync("Tick", 1));
    }

    [Fact]
    public async Task Retry_OfATimer_CountsUpInItsContext()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await Timer("0 0 0 1 1 *", "\"runOnStartup\":true,", ""","retry":{"strategy":"fixedDelay","maxRetryCount":2,"delayInterval":"00:00:00.050"}""").Answer("Tick", """{"failures":99}""").StartAsync();

        var seen = await app.InvocationsAsync("Tick", 3);

        Assert.Equal([0, 1, 2], seen.Select(one => one["envelope"]!["Metadata"]!["RetryContext"]!["RetryCount"]!.GetValue<int>()));
        Assert.Null(seen[0]["envelope"]!["Metadata"]!["RetryContext"]!["Exception"]);
        Assert.All(seen.Skip(1), one => Assert.Contains("500", one["envelope"]!["Metadata"]!["RetryContext"]!["Exception"]!.ToString(), StringComparison.Ordinal));
        Assert.All(seen, one => Assert.Equal(2, one["envelope"]!["Metadata"]!["RetryContext"]!["MaxRetryCount"]!.GetValue<int>()));
    }

    private static TestFunctionApp Timer(string schedule, string property = "", string more = "") => new TestFunctionApp().Function("Tick", $$"""
        {"bindings":[{"type":"timerTrigger","direction":"in","name":"timer",{{property}}"schedule":"{{schedule}}"}] {{more}} }
        """);
}
