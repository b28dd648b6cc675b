using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Invocations;
using Platform.Local.FunctionsHost.Timers;

namespace Platform.UnitTests.FunctionsHost;

/// <summary>A timer whose clock is set while it waits: nothing runs twice, nothing is made up for twice, nothing stops for hours.</summary>
public sealed class TimerListenerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("timers-").FullName;
    private readonly FakeTimeProvider _time = new();
    private readonly List<(DateTimeOffset At, JsonNode Timer)> _runs = [];
    private Action _during = () => { };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Clock_SetForward_RunsOnceForAllThatWasJumpedOver()
    {
        await using var running = await StartAsync();

        _time.Shift(TimeSpan.FromHours(1));
        _time.Advance(ScheduleWait.LongestSleep);
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(["04:04:35", "04:05:00"], Times());
    }

    [Fact]
    public async Task Clock_SetBack_GoesOnByTheNewTime()
    {
        await using var running = await StartAsync();
        _time.Advance(TimeSpan.FromSeconds(55));

        _time.Shift(TimeSpan.FromHours(-2));
        _time.Advance(TimeSpan.FromMinutes(5));
        _time.Advance(TimeSpan.FromMinutes(5));

        Assert.Equal(["03:05:00", "01:10:00", "01:15:00"], Times());
    }

    [Fact]
    public async Task Clock_SetBackBySecondsInARun_RunsNoTickTwice()
    {
        _during = () => _time.Shift(_runs.Count == 1 ? TimeSpan.FromSeconds(-2) : TimeSpan.Zero);
        await using var running = await StartAsync();

        _time.Advance(TimeSpan.FromMinutes(6));

        Assert.Equal(["03:05:00", "03:10:00"], Times());
    }

    [Fact]
    public async Task Status_OverARestartWithTheClockSetBack_IsNotTakenForAMissedRun()
    {
        await using (await StartAsync())
        {
            _time.Advance(TimeSpan.FromSeconds(56));
        }

        _time.Shift(TimeSpan.FromMinutes(-30));
        await using var again = await StartAsync();

        Assert.Single(_runs);
    }

    [Fact]
    public async Task Status_OverARestartAfterMissedRuns_IsMadeUpForOnceAndSaysSo()
    {
        await using (await StartAsync())
        {
            _time.Advance(TimeSpan.FromSeconds(56));
        }

        _time.Advance(TimeSpan.FromHours(3));
        await using var again = await StartAsync();

        Assert.Equal(2, _runs.Count);
        Assert.Equal((false, true), (PastDue(0), PastDue(1)));
    }

    [Fact]
    public async Task Status_OfAnotherSchedule_IsNotTakenForAMissedRun()
    {
        await using (await StartAsync())
        {
            _time.Advance(TimeSpan.FromSeconds(56));
        }

        _time.Advance(TimeSpan.FromHours(3));
        await using var again = await StartAsync("0 0 0 1 1 *");

        Assert.Equal(["03:05:00"], Times());
    }

    private bool PastDue(int run) => _runs[run].Timer["IsPastDue"]!.GetValue<bool>();

    private IEnumerable<string> Times() => _runs.Select(run => run.At.ToString("HH:mm:ss"));

    /// <summary>Every five minutes unless another schedule is given, from 03:04:05 on. Off the test's own context, so that a run goes on inside the call that moves the clock.</summary>
    private async Task<RunningTimer> StartAsync(string schedule = "0 */5 * * * *")
    {
        var trigger = new JsonObject { ["type"] = "timerTrigger", ["direction"] = "in", ["name"] = "timer", ["schedule"] = schedule };
        var function = new FunctionDefinition { Name = "Tick", Json = [], Bindings = [new BindingDefinition(BindingTypes.TimerTrigger, "in", "timer", trigger)] };
        var listener = new TimerListener(function, AppSettings.Load(_folder, new Dictionary<string, string>()), RunAsync, _folder, _time, NullLogger.Instance);
        var stopping = new CancellationTokenSource();
        Task running = null!;
        await Task.Run(() => { running = listener.RunAsync(stopping.Token, CancellationToken.None); });
        return new RunningTimer(running, stopping);
    }

    private Task RunAsync(Func<EnvelopeRequest> envelope, CancellationToken abort)
    {
        _runs.Add((_time.GetUtcNow(), JsonNode.Parse(envelope().ToUtf8())!["Data"]!["timer"]!));
        _during();
        return Task.CompletedTask;
    }

    private sealed class RunningTimer(Task running, CancellationTokenSource stopping) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await stopping.CancelAsync();
            await running;
            stopping.Dispose();
        }
    }
}
