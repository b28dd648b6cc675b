using System.Globalization;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Invocations;

namespace Platform.Local.FunctionsHost.Timers;

/// <summary>Runs one timer-triggered function. A failure does not stop the schedule; runs never overlap; a run missed while the host was down is made up for once.</summary>
internal sealed class TimerListener
{
    /// <summary>A clock that a time server sets back by less than this does not run a tick again; one that is set back further means another time.</summary>
    private static readonly TimeSpan SmallStep = TimeSpan.FromMinutes(1);

    private readonly FunctionDefinition _function;
    private readonly Func<DateTimeOffset, DateTimeOffset?> _next;
    private readonly string _schedule;
    private readonly Func<Func<EnvelopeRequest>, CancellationToken, Task> _invoke;
    private readonly TimerStatusFile? _file;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private DateTimeOffset _lastTick;

    /// <param name="function">The function.</param>
    /// <param name="settings">For <c>%SETTING%</c> in the schedule, and the time zone.</param>
    /// <param name="invoke">Runs the function; an <see cref="InvocationException"/> is logged where it is thrown.</param>
    /// <param name="statusFolder">Where the statuses of timers are kept.</param>
    /// <param name="time">The clock; it may be set while the timer waits.</param>
    /// <param name="logger">Hears of a status that cannot be kept.</param>
    /// <exception cref="FormatException">The schedule cannot be read.</exception>
    public TimerListener(FunctionDefinition function, AppSettings settings, Func<Func<EnvelopeRequest>, CancellationToken, Task> invoke, string statusFolder, TimeProvider time, ILogger logger)
    {
        _function = function;
        _invoke = invoke;
        _time = time;
        _logger = logger;
        var schedule = settings.Expand(function.Trigger.Text("schedule") ?? throw new FormatException($"The timer '{function.Name}' has no schedule."));
        var timeZone = settings["WEBSITE_TIME_ZONE"];
        _next = Occurrences(schedule, timeZone);
        _schedule = string.IsNullOrEmpty(timeZone) ? schedule : $"{schedule} ({timeZone})";
        _file = IsMonitored(function) ? new TimerStatusFile(statusFolder, function.Name) : null;
    }

    /// <summary>Works until <paramref name="stopping"/>; a run under way may end until <paramref name="abort"/>.</summary>
    public async Task RunAsync(CancellationToken stopping, CancellationToken abort)
    {
        try
        {
            var status = _file?.Read();
            var now = _time.GetUtcNow();
            if (status is not null && status.Next < now && !IsOfAnotherSchedule(status))
            {
                await FireAsync(status, isPastDue: true, abort);
            }
            else if ("true".Equals(_function.Trigger.Text("runOnStartup"), StringComparison.OrdinalIgnoreCase))
            {
                await FireAsync(status, isPastDue: false, abort);
            }

            while (NextTick() is { } next)
            {
                Keep(next);
                if (await ScheduleWait.UntilAsync(next, _time, stopping))
                {
                    _lastTick = next;
                    await FireAsync(_file?.Read(), isPastDue: false, abort);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    /// <summary>What another schedule missed is nothing that this one would make up for.</summary>
    private bool IsOfAnotherSchedule(TimerStatus status) => status.Schedule is { } schedule && schedule != _schedule;

    private DateTimeOffset? NextTick()
    {
        var now = _time.GetUtcNow();
        return _next(_lastTick > now && _lastTick - now < SmallStep ? _lastTick : now);
    }

    private static Func<DateTimeOffset, DateTimeOffset?> Occurrences(string schedule, string? timeZone)
    {
        if (TimeSpan.TryParse(schedule, CultureInfo.InvariantCulture, out var interval) && schedule.Contains(':', StringComparison.Ordinal))
        {
            return interval > TimeSpan.Zero ? now => now + interval : throw new FormatException($"'{schedule}' is no schedule: the time span must be positive.");
        }

        var cron = CronSchedule.Parse(schedule);
        var zone = string.IsNullOrEmpty(timeZone) ? TimeZoneInfo.Utc : TimeZoneInfo.FindSystemTimeZoneById(timeZone);
        return now => cron.Next(now, zone);
    }

    /// <summary>As hosts do: the status is kept unless switched off, or the timer runs more often than once a minute.</summary>
    private bool IsMonitored(FunctionDefinition function)
    {
        if ("false".Equals(function.Trigger.Text("useMonitor"), StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        var first = _next(_time.GetUtcNow());
        var second = first is { } start ? _next(start) : null;
        return second is null || second - first >= TimeSpan.FromMinutes(1);
    }

    private async Task FireAsync(TimerStatus? status, bool isPastDue, CancellationToken abort)
    {
        var started = _time.GetUtcNow();
        try
        {
            await _invoke(() => EnvelopeOf(status, isPastDue), abort);
        }
        catch (InvocationException)
        {
            // Logged where it failed; the next tick comes anyway.
        }

        if (NextTick() is { } next)
        {
            Keep(next, started);
        }
    }

    private void Keep(DateTimeOffset next, DateTimeOffset? last = null)
    {
        if (_file is null)
        {
            return;
        }

        var old = _file.Read();
        if (last is null && old is not null && old.Next == next && !IsOfAnotherSchedule(old))
        {
            return;
        }

        try
        {
            _file.Write(new TimerStatus(last ?? old?.Last ?? default, next, _time.GetUtcNow(), _schedule));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _logger.TimerStatusNotKept(_function.Name, exception.Message);
        }
    }

    private EnvelopeRequest EnvelopeOf(TimerStatus? status, bool isPastDue) =>
        new EnvelopeRequest(_function.Name, _time.GetUtcNow()).DataObject(_function.Trigger.Name, writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartObject("Schedule");
            writer.WriteBoolean("AdjustForDST", true);
            writer.WriteEndObject();
            if (status is null)
            {
                writer.WriteNull("ScheduleStatus");
            }
            else
            {
                writer.WriteStartObject("ScheduleStatus");
                writer.WriteString("Last", status.Last);
                writer.WriteString("Next", status.Next);
                writer.WriteString("LastUpdated", status.LastUpdated);
                writer.WriteEndObject();
            }

            writer.WriteBoolean("IsPastDue", isPastDue);
            writer.WriteEndObject();
        });
}
