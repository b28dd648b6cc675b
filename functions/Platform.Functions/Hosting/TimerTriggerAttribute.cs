using System.Text.Json.Nodes;

namespace Platform.Functions.Hosting;

/// <summary>Runs the function on a schedule. The parameter is a <see cref="TimerInfo"/>.</summary>
/// <param name="schedule">NCRONTAB with six fields, seconds first, UTC: <c>0 */5 * * * *</c>; or <c>%SETTING%</c>.</param>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class TimerTriggerAttribute(string schedule) : TriggerAttribute
{
    /// <summary>When it runs.</summary>
    public string Schedule { get; } = schedule;

    /// <summary>True: it also runs when the host starts. Default false.</summary>
    public bool RunOnStartup { get; set; }

    /// <summary>True (the default): the schedule's status is kept, so that a missed run is made up for once.</summary>
    public bool UseMonitor { get; set; } = true;

    internal override string BindingType => "timerTrigger";

    internal override void Describe(JsonObject binding)
    {
        binding["schedule"] = Schedule;
        binding["runOnStartup"] = RunOnStartup;
        binding["useMonitor"] = UseMonitor;
    }
}

/// <summary>What a timer function learns about its schedule.</summary>
public sealed record TimerInfo
{
    /// <summary>The runs before and after this one; null where the host keeps no status.</summary>
    public ScheduleStatus? ScheduleStatus { get; init; }

    /// <summary>True if this run comes later than scheduled.</summary>
    public bool IsPastDue { get; init; }
}

/// <summary>A schedule's kept status.</summary>
/// <param name="Last">Last run, UTC.</param>
/// <param name="Next">Next run, UTC.</param>
/// <param name="LastUpdated">When the status was written, UTC.</param>
public sealed record ScheduleStatus(DateTime Last, DateTime Next, DateTime LastUpdated);
