using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

internal enum ScheduleKind
{
    Reminder,
    Timer,
}

/// <summary>Registers timers and reminders with the sidecar.</summary>
internal sealed class ActorSchedules(ActorApi api)
{
    public Task SaveAsync(ScheduleKind kind, ActorHost host, string name, string? callback, byte[]? state, TimeSpan dueTime, TimeSpan period)
    {
        var schedule = new ActorSchedule(
            GoDuration.Format(dueTime < TimeSpan.Zero ? TimeSpan.Zero : dueTime),
            period <= TimeSpan.Zero ? null : GoDuration.Format(period),
            callback,
            state);
        return api.SendAsync(HttpMethod.Post, host.ActorType, host.Id.Value, PathOf(kind, name), JsonBody.From(schedule, DaprJson.Default.ActorSchedule), CancellationToken.None);
    }

    public Task DeleteAsync(ScheduleKind kind, ActorHost host, string name) =>
        api.SendAsync(HttpMethod.Delete, host.ActorType, host.Id.Value, PathOf(kind, name), null, CancellationToken.None);

    private static string PathOf(ScheduleKind kind, string name) => (kind == ScheduleKind.Reminder ? "reminders/" : "timers/") + PathSegment.Escape(name);
}
