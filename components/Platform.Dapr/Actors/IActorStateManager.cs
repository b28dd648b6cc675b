namespace Platform.Dapr.Actors;

/// <summary>The state of one actor: reads are cached, changes are kept until the turn ends, and then saved in one transaction.</summary>
/// <remarks>Used only inside the actor's turns. Types are read and written by <see cref="ActorOptions.JsonContext"/>. After a failed turn everything is forgotten and read again.</remarks>
public interface IActorStateManager
{
    /// <summary>The value under a name.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    Task<T> GetStateAsync<T>(string stateName, CancellationToken cancellationToken = default);

    /// <summary>The value under a name, if there is one.</summary>
    Task<ConditionalValue<T>> TryGetStateAsync<T>(string stateName, CancellationToken cancellationToken = default);

    /// <summary>Adds or replaces a value. An object that was changed in place must be set again.</summary>
    Task SetStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default);

    /// <summary>Adds or replaces a value that ends after a while. Dapr asks for the Configuration feature <c>ActorStateTTL</c>; without it the turn's save fails.</summary>
    /// <param name="stateName">Name.</param>
    /// <param name="value">Value.</param>
    /// <param name="timeToLive">From the end of the turn; whole seconds, at least one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task SetStateAsync<T>(string stateName, T value, TimeSpan timeToLive, CancellationToken cancellationToken = default);

    /// <summary>Adds a value.</summary>
    /// <exception cref="InvalidOperationException">There is one already.</exception>
    Task AddStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default);

    /// <summary>Removes a value.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    Task RemoveStateAsync(string stateName, CancellationToken cancellationToken = default);

    /// <summary>Removes a value if there is one.</summary>
    /// <returns>True if there was one.</returns>
    Task<bool> TryRemoveStateAsync(string stateName, CancellationToken cancellationToken = default);

    /// <summary>True if there is a value under the name.</summary>
    Task<bool> ContainsStateAsync(string stateName, CancellationToken cancellationToken = default);

    /// <summary>Saves now what the runtime would save at the end of the turn: all of it, or nothing.</summary>
    /// <exception cref="DaprActorException">Nothing was saved.</exception>
    Task SaveStateAsync(CancellationToken cancellationToken = default);

    /// <summary>Forgets the changes since the last save, and everything read.</summary>
    Task ClearCacheAsync(CancellationToken cancellationToken = default);
}

/// <summary>A value that may not be there.</summary>
/// <param name="HasValue">True if it is.</param>
/// <param name="Value">The value; default if it is not.</param>
public readonly record struct ConditionalValue<T>(bool HasValue, T Value);
