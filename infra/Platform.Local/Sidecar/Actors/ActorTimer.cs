using System.Text.Json;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Actors;

/// <summary>A timer of an active actor: lives in memory, dies with the activation, runs as turns of the actor.</summary>
internal sealed class ActorTimer : IDisposable
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);
    private readonly ActorTable _table;
    private readonly ActorInstance _instance;
    private readonly ActorHostApp _host;
    private readonly ScheduleRequest _schedule;
    private readonly byte[] _body;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private int? _left;
    private DateTimeOffset _due;
    private volatile bool _disposed;

    public ActorTimer(string name, ScheduleRequest schedule, JsonElement body, ActorTable table, ActorInstance instance, ActorHostApp host, ILogger log, TimeProvider time)
    {
        Name = name;
        _schedule = schedule;
        _left = schedule.Period is null ? 1 : schedule.Repeats;
        _table = table;
        _instance = instance;
        _host = host;
        _log = log;
        _time = time;
        _body = CallbackBody.OfTimer(schedule, GoJson.FindString(body, "dueTime") ?? "", GoJson.FindString(body, "period") ?? "");
        _timer = time.CreateTimer(_ => _ = WakeAsync(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public string Name { get; }

    /// <summary>Starts it; without a due time it fires at once.</summary>
    public void Start() => WaitUntil(_schedule.Due ?? _time.GetUtcNow());

    public void Dispose()
    {
        _disposed = true;
        _timer.Dispose();
    }

    private Task WakeAsync()
    {
        if (_disposed)
        {
            return Task.CompletedTask;
        }

        if (_due > _time.GetUtcNow())
        {
            WaitUntil(_due); // It is longer than a timer of .NET can wait, or the clock was set back.
            return Task.CompletedTask;
        }

        return FireAsync();
    }

    private async Task FireAsync()
    {
        try
        {
            var turn = new ActorTurn { Path = "timer/" + Uri.EscapeDataString(Name), Body = _body, OnlyIn = _host };
            var answer = await _table.RunAsync(_instance.Key, turn, CancellationToken.None);
            if (answer is null or { WantsCancel: true })
            {
                _instance.RemoveTimer(Name, this);
                return;
            }

            if (!answer.IsSuccess)
            {
                SidecarLog.TimerFailed(_log, Name, _instance.Key.Type, _instance.Key.Id, $"status {(int)answer.Status}, expected 200");
            }
        }
        catch (Exception e)
        {
            SidecarLog.TimerFailed(_log, Name, _instance.Key.Type, _instance.Key.Id, e.Message); // A failure does not end a timer.
        }

        var next = _schedule.Period?.After(_due); // In its rhythm: a callback that took longer than the period is followed by the next at once.
        if (--_left == 0 || next is null || next > _schedule.Expires)
        {
            _instance.RemoveTimer(Name, this);
        }
        else
        {
            WaitUntil(next.Value);
        }
    }

    private void WaitUntil(DateTimeOffset due)
    {
        _due = due;
        var wait = due - _time.GetUtcNow();
        if (!_disposed)
        {
            _timer.Change(wait < TimeSpan.Zero ? TimeSpan.Zero : wait > LongestWait ? LongestWait : wait, Timeout.InfiniteTimeSpan);
        }
    }
}
