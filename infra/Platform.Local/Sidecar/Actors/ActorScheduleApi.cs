using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Platform.DataPlane;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Actors;

/// <summary><c>/v1.0/actors/{type}/{id}/reminders/{name}</c> and <c>.../timers/{name}</c>, for actor types that this sidecar's app hosts.</summary>
internal sealed class ActorScheduleApi(SidecarActors self, ActorTable table, ReminderScheduler reminders, long maxBodyBytes, ILogger log, TimeProvider time)
{
    public async Task SaveReminderAsync(HttpContext context, ActorKey actor, string name)
    {
        NameRule.Require(name);
        RequireHosted(actor);
        try
        {
            using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
            var now = time.GetUtcNow();
            var schedule = ScheduleRequest.Parse(body.RootElement, now);
            await reminders.SaveAsync(ReminderOf(actor, name, schedule, now), schedule.Overwrite);
        }
        catch (Exception e) when (e is FormatException or StorageException)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_REMINDER_CREATE", $"error creating actor reminder: {e.Message}", e);
        }

        await context.AnswerNothingAsync();
    }

    public async Task GetReminderAsync(HttpContext context, ActorKey actor, string name)
    {
        RequireHosted(actor);
        var reminder = reminders.Find(actor, name) ?? throw new DaprErrorException(404, "ERR_ACTOR_REMINDER_NOT_FOUND", $"actor reminder not found: {name}");
        var answer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(answer))
        {
            writer.WriteStartObject();
            writer.WriteString("actorID"u8, actor.Id);
            writer.WriteString("actorType"u8, actor.Type);
            if (reminder.Data is { } data)
            {
                writer.WritePropertyName("data"u8);
                writer.WriteRawValue(data, skipInputValidation: true);
            }

            if (reminder.FirstDue is { } due)
            {
                writer.WriteString("dueTime"u8, due.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
            }

            if (reminder.Period is { } period)
            {
                writer.WriteString("period"u8, "@every " + Period.Format(period));
            }

            if (reminder.Expires is { } end)
            {
                writer.WriteString("ttl"u8, end.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
            }

            writer.WriteEndObject();
        }

        await context.AnswerJsonAsync(200, answer.WrittenMemory);
    }

    public async Task DeleteReminderAsync(HttpContext context, ActorKey actor, string name)
    {
        RequireHosted(actor);
        await reminders.DeleteAsync(actor, name);
        await context.AnswerNothingAsync();
    }

    public async Task SaveTimerAsync(HttpContext context, ActorKey actor, string name)
    {
        NameRule.Require(name);
        try
        {
            using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
            var schedule = ScheduleRequest.Parse(body.RootElement, time.GetUtcNow());
            await StartTimerAsync(actor, name, schedule, body.RootElement);
        }
        catch (FormatException e)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_TIMER_CREATE", $"error creating actor timer: {e.Message}", e);
        }

        await context.AnswerNothingAsync();
    }

    public Task DeleteTimerAsync(HttpContext context, ActorKey actor, string name)
    {
        table.Find(actor)?.RemoveTimer(name);
        return context.AnswerNothingAsync();
    }

    /// <summary>Starts a timer of an actor of a type that this app hosts, wherever its place is; one that is not active becomes it.</summary>
    private async Task StartTimerAsync(ActorKey actor, string name, ScheduleRequest schedule, JsonElement body)
    {
        while (self.Host?.Hosts(actor.Type) == true && await table.ActivateAsync(actor) is var (instance, host))
        {
            var timer = new ActorTimer(name, schedule, body, table, instance, host, log, time);
            if (instance.SetTimer(timer, host))
            {
                timer.Start();
                return;
            }

            timer.Dispose(); // It was deactivated in between.
        }

        throw new DaprErrorException(500, "ERR_ACTOR_TIMER_CREATE", $"error creating actor timer: can't create timer for actor {actor}: actor type not registered");
    }

    private static Reminder ReminderOf(ActorKey actor, string name, ScheduleRequest schedule, DateTimeOffset now)
    {
        if (schedule.Due is null && schedule.Period is null)
        {
            throw new FormatException("neither dueTime nor period is given");
        }

        if (schedule.Period is null && schedule.Expires is not null)
        {
            throw new FormatException("a reminder that fires once cannot have a ttl");
        }

        if (schedule.Period is { HasCalendarParts: true })
        {
            throw new FormatException("the period of a reminder cannot have days, weeks, months or years");
        }

        var due = schedule.Due ?? now + schedule.Period!.Value.Time;
        return new Reminder
        {
            Type = actor.Type,
            Id = actor.Id,
            Name = name,
            Due = due,
            FirstDue = schedule.Due,
            Period = schedule.Period?.Time,
            Left = schedule.Period is null ? 1 : schedule.Repeats,
            Expires = schedule.Expires,
            Data = schedule.Data,
            MaxRetries = schedule.MaxRetries,
            RetryInterval = schedule.RetryInterval,
        };
    }

    private void RequireHosted(ActorKey actor)
    {
        if (self.Host?.Hosts(actor.Type) != true)
        {
            throw new DaprErrorException(403, "ERR_ACTOR_REMINDER_NON_HOSTED", "operations on actor reminders are only possible on hosted actor types");
        }
    }
}
