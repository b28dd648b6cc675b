namespace Platform.Dapr.Actors;

/// <summary>Base of actors: one object per id, one turn at a time, state saved when a turn ends well.</summary>
/// <remarks>
/// A turn is a method call, a timer or a reminder. Turns of one actor never overlap (reentrant calls excepted). When a turn throws, its state changes are dropped,
/// and the caller gets a <see cref="DaprActorMethodException"/> with the code and message of the exception.
/// </remarks>
public abstract class Actor
{
    /// <summary>Called by the runtime through a constructor that takes the host first and may take services after it.</summary>
    protected Actor(ActorHost host)
    {
        Host = host;
        StateManager = host.StateManager;
    }

    /// <summary>What the runtime gave this actor.</summary>
    public ActorHost Host { get; }

    /// <summary>Id of this actor.</summary>
    public ActorId Id => Host.Id;

    /// <summary>State of this actor; changes are saved when the turn ends well.</summary>
    public IActorStateManager StateManager { get; }

    /// <summary>Runs before the first turn after the object was made. A throw fails that turn, and the object is thrown away.</summary>
    protected virtual Task OnActivateAsync() => Task.CompletedTask;

    /// <summary>Runs when the actor was idle or moves. State cannot be saved any more.</summary>
    protected virtual Task OnDeactivateAsync() => Task.CompletedTask;

    /// <summary>Makes or replaces a durable reminder; the actor must implement <see cref="IRemindable"/>.</summary>
    /// <param name="reminderName">Name, unique in this actor.</param>
    /// <param name="state">Handed to <see cref="IRemindable.ReceiveReminderAsync"/>; null: nothing.</param>
    /// <param name="dueTime">From now to the first call; zero: at once.</param>
    /// <param name="period">Between calls; zero or negative: once.</param>
    protected Task RegisterReminderAsync(string reminderName, byte[]? state, TimeSpan dueTime, TimeSpan period) =>
        this is IRemindable
            ? Host.Schedules.SaveAsync(ScheduleKind.Reminder, Host, reminderName, callback: null, state, dueTime, period)
            : throw new InvalidOperationException($"{GetType().Name} registers reminder '{reminderName}' but does not implement {nameof(IRemindable)}.");

    /// <summary>Removes a reminder; an absent one is no error.</summary>
    protected Task UnregisterReminderAsync(string reminderName) => Host.Schedules.DeleteAsync(ScheduleKind.Reminder, Host, reminderName);

    /// <summary>Starts or replaces a timer, which lives as long as the actor is active.</summary>
    /// <param name="timerName">Name, unique in this actor.</param>
    /// <param name="callback">Name of a method of this class, of any visibility, that returns <see cref="Task"/> and takes nothing or <c>byte[]</c>.</param>
    /// <param name="state">Handed to the callback.</param>
    /// <param name="dueTime">From now to the first call.</param>
    /// <param name="period">From the end of a call to the next; zero or negative: once.</param>
    protected Task RegisterTimerAsync(string timerName, string callback, byte[]? state, TimeSpan dueTime, TimeSpan period)
    {
        Host.Type.RequireTimerCallback(callback);
        return Host.Schedules.SaveAsync(ScheduleKind.Timer, Host, timerName, callback, state, dueTime, period);
    }

    /// <summary>Stops a timer; an absent one is no error.</summary>
    protected Task UnregisterTimerAsync(string timerName) => Host.Schedules.DeleteAsync(ScheduleKind.Timer, Host, timerName);

    internal Task ActivateAsync() => OnActivateAsync();

    internal Task DeactivateAsync() => OnDeactivateAsync();
}
