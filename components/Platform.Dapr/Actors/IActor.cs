namespace Platform.Dapr.Actors;

/// <summary>Marks an interface as an actor's: its methods can be called from outside.</summary>
/// <remarks>A method takes no argument or one, optionally followed by a <see cref="CancellationToken"/>, and returns <see cref="Task"/> or <see cref="Task{TResult}"/>. Names are unique; overloads are refused at start.</remarks>
public interface IActor;

/// <summary>An actor that has reminders.</summary>
public interface IRemindable
{
    /// <summary>Runs as a turn of its own when a reminder is due. A throw makes the sidecar repeat it.</summary>
    /// <param name="reminderName">Which.</param>
    /// <param name="state">What was registered with it; empty if nothing.</param>
    /// <param name="dueTime">As sent by the sidecar; zero with sidecars that leave it out, as Dapr does since 1.15.</param>
    /// <param name="period">Likewise.</param>
    Task ReceiveReminderAsync(string reminderName, byte[] state, TimeSpan dueTime, TimeSpan period);
}
