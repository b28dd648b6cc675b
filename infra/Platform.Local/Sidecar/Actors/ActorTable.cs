using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Actors;

/// <summary>All actors of the cluster: runs their turns one at a time in the app that hosts them, and deactivates idle ones.</summary>
internal sealed class ActorTable(ActorPlacement placement, ILogger log, TimeProvider time)
{
    private static readonly ParallelOptions AtOnce = new() { MaxDegreeOfParallelism = 128 };
    private static readonly TimeSpan HostPatience = TimeSpan.FromSeconds(5);
    private static readonly MediaTypeHeaderValue Json = new("application/json");
    private readonly ConcurrentDictionary<ActorKey, ActorInstance> _instances = new();

    public ActorPlacement Placement => placement;

    /// <summary>The actor, if it is active in this life of this app.</summary>
    public ActorInstance? FindActive(ActorKey key, ActorHostApp? host) =>
        _instances.TryGetValue(key, out var instance) && instance.IsActiveIn(host) ? instance : null;

    /// <summary>The actor, if it has or had a turn not long ago.</summary>
    public ActorInstance? Find(ActorKey key) => _instances.GetValueOrDefault(key);

    /// <summary>Makes the actor active at its place, if it is not. The app is not told: it makes the object at the first turn.</summary>
    /// <returns>The actor and its place; null if no live app hosts its type.</returns>
    public async Task<(ActorInstance Instance, ActorHostApp Host)?> ActivateAsync(ActorKey key)
    {
        while (placement.Find(key) is { } host)
        {
            if (FindActive(key, host) is { } active)
            {
                return (active, host); // Also from within a turn, whose lock must not be waited for.
            }

            var instance = _instances.GetOrAdd(key, static key => new ActorInstance(key));
            await instance.Lock.EnterAsync(null, 1, CancellationToken.None);
            try
            {
                if (!instance.IsRemoved && placement.Find(key) == host)
                {
                    await MoveAsync(instance, host);
                    return (instance, host);
                }
            }
            finally
            {
                instance.LastUsed = time.GetTimestamp();
                instance.Lock.Exit();
            }
        }

        return null;
    }

    /// <summary>Active actors of a host, by type.</summary>
    public IReadOnlyDictionary<string, int> CountOf(ActorHostApp host) =>
        _instances.Values.Where(instance => instance.IsActiveIn(host)).CountBy(instance => instance.Key.Type).ToDictionary();

    /// <summary>Runs a turn; waits for the actor's earlier turns, and up to 5 s for a host.</summary>
    /// <returns>The app's answer; null if the turn was only for an activation that is over.</returns>
    /// <exception cref="DaprErrorException">There is no host, or it broke off, or the chain is too deep.</exception>
    public async Task<ActorAnswer?> RunAsync(ActorKey key, ActorTurn turn, CancellationToken cancellationToken)
    {
        var patience = time.GetTimestamp();
        while (true)
        {
            if (placement.Find(key) is not { } host)
            {
                if (!await UntilPlacedAsync(key, HostPatience - time.GetElapsedTime(patience), cancellationToken))
                {
                    throw new DaprErrorException(404, "ERR_ACTOR_NO_ADDRESS", $"did not find address for actor '{key}'");
                }

                continue;
            }

            var settings = host.SettingsOf(key.Type);
            var chain = settings.Reentrant ? turn.Chain ?? Guid.NewGuid().ToString() : null;
            var instance = _instances.GetOrAdd(key, static key => new ActorInstance(key));
            if (!await instance.Lock.EnterAsync(chain, settings.MaxStackDepth, cancellationToken))
            {
                throw new DaprErrorException(500, "ERR_ACTOR_STACK_DEPTH", "maximum stack depth exceeded");
            }

            try
            {
                if (instance.IsRemoved || placement.Find(key) != host)
                {
                    continue; // Things changed while the turn waited: look again.
                }

                if (turn.OnlyIn is { } only && (only != host || !instance.IsActiveIn(only)))
                {
                    return null;
                }

                await MoveAsync(instance, host);
                var (answer, refused) = await SendAsync(instance, host, turn, chain);
                if (!refused)
                {
                    return answer;
                }

                // Nobody listens: the turn never began, so it may wait for the host's next life.
                placement.Remove(host);
            }
            finally
            {
                instance.LastUsed = time.GetTimestamp();
                instance.Lock.Exit();
            }
        }
    }

    /// <summary>Begins to deactivate the actors whose last turn is longer ago than their type's idle timeout, and to forget those of apps that are gone.</summary>
    /// <remarks>One after the other per app, and not awaited: an app that stands still keeps its own actors and nobody else's.</remarks>
    public void DeactivateIdle()
    {
        foreach (var idle in _instances.Values.Where(instance => instance.Lock.IsIdle && IsUnused(instance)).GroupBy(instance => instance.Host))
        {
            if (idle.Key is not { } host)
            {
                _ = DeactivateAsync([.. idle]);
            }
            else if (host.Sweep.IsCompleted)
            {
                host.Sweep = DeactivateAsync([.. idle]);
            }
        }
    }

    /// <summary>Deactivates the actors whose place is another host now, after their running turns; each comes to life there with its next turn.</summary>
    public async Task RebalanceAsync()
    {
        await Parallel.ForEachAsync(_instances.Values.Where(IsMisplaced), AtOnce, async (instance, _) => await DeactivateAsync(instance, evenIfUsed: true, CancellationToken.None));
    }

    /// <summary>Deactivates everything that is active in a host, at its end; running turns are waited for as the drain settings say.</summary>
    public async Task DrainAsync(ActorHostApp host)
    {
        // One patience per type, not per actor: many turns that hang must not add up.
        var patience = host.Types.ToDictionary(type => type, type => new CancellationTokenSource(host.SettingsOf(type) is { Drain: true } settings ? settings.DrainTimeout : TimeSpan.Zero, time), StringComparer.Ordinal);
        await Parallel.ForEachAsync(
            _instances.Values.Where(instance => ReferenceEquals(instance.Host, host)), AtOnce, async (instance, _) => await DeactivateAsync(instance, evenIfUsed: true, patience[instance.Key.Type].Token));
        foreach (var end in patience.Values)
        {
            end.Dispose();
        }
    }

    private async Task DeactivateAsync(IReadOnlyList<ActorInstance> idle)
    {
        foreach (var instance in idle)
        {
            await DeactivateAsync(instance, evenIfUsed: false);
        }
    }

    private bool IsMisplaced(ActorInstance instance) => instance.Host is { } host && placement.Find(instance.Key) is { } place && place != host;

    /// <summary>True if no turn was run for the idle timeout, or the app is gone.</summary>
    private bool IsUnused(ActorInstance instance) =>
        instance.Host is not { IsAlive: true } host || time.GetElapsedTime(instance.LastUsed) >= host.SettingsOf(instance.Key.Type).IdleTimeout;

    private async Task DeactivateAsync(ActorInstance instance, bool evenIfUsed, CancellationToken cancellationToken = default)
    {
        try
        {
            await instance.Lock.EnterAsync(null, 1, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return; // A turn that does not end in time goes down with its app.
        }

        try
        {
            if (instance.IsRemoved || (!evenIfUsed && !IsUnused(instance)))
            {
                return;
            }

            await MoveAsync(instance, null);
            instance.IsRemoved = true;
            _instances.TryRemove(KeyValuePair.Create(instance.Key, instance));
        }
        finally
        {
            instance.Lock.Exit();
        }
    }

    /// <summary>Makes the actor active in a host, after it was deactivated where it was, if that app still lives. Under the turn lock.</summary>
    private async Task MoveAsync(ActorInstance instance, ActorHostApp? host)
    {
        if (ReferenceEquals(instance.Host, host))
        {
            return;
        }

        if (instance.Host is { IsAlive: true } old)
        {
            try
            {
                using var slot = await old.App.EnterAsync(CancellationToken.None);
                using var request = new HttpRequestMessage(HttpMethod.Delete, AddressOf(old, instance.Key, ""));
                using var response = await old.App.SendAsync(request, CancellationToken.None);
                if (response.StatusCode != HttpStatusCode.OK)
                {
                    SidecarLog.DeactivationFailed(log, instance.Key.Type, instance.Key.Id, $"status {(int)response.StatusCode}, expected 200");
                }
            }
            catch (HttpRequestException e)
            {
                SidecarLog.DeactivationFailed(log, instance.Key.Type, instance.Key.Id, e.Message);
            }
        }

        instance.MoveTo(host);
    }

    /// <summary>Sends a turn. It cannot be cancelled: the app may be in the middle of it, and the next turn must not begin before it has ended.</summary>
    private static async Task<(ActorAnswer? Answer, bool Refused)> SendAsync(ActorInstance instance, ActorHostApp host, ActorTurn turn, string? chain)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, AddressOf(host, instance.Key, "/method/" + turn.Path)) { Content = new ReadOnlyMemoryContent(turn.Body) };
        turn.AddHeaders?.Invoke(request);
        request.Content.Headers.ContentType ??= Json;
        request.Headers.TryAddWithoutValidation("Dapr-API-Call", "true");
        if (chain is not null)
        {
            request.Headers.Remove("Dapr-Reentrancy-Id");
            request.Headers.TryAddWithoutValidation("Dapr-Reentrancy-Id", chain);
        }

        try
        {
            using var slot = await host.App.EnterAsync(CancellationToken.None);
            using var response = await host.App.SendAsync(request, CancellationToken.None);
            return (new ActorAnswer(response.StatusCode, await response.Content.ReadAsByteArrayAsync(CancellationToken.None), response.Headers, response.Content.Headers), false);
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError)
        {
            return (null, true);
        }
        catch (HttpRequestException e)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_INVOKE_METHOD", $"error invoke actor method: {e.Message}", e);
        }
    }

    private static Uri AddressOf(ActorHostApp host, ActorKey key, string rest) =>
        new($"{host.App.Address}actors/{Uri.EscapeDataString(key.Type)}/{Uri.EscapeDataString(key.Id)}{rest}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });

    private async Task<bool> UntilPlacedAsync(ActorKey key, TimeSpan patience, CancellationToken cancellationToken)
    {
        var changed = placement.Changed;
        if (placement.Find(key) is not null)
        {
            return true;
        }

        if (patience <= TimeSpan.Zero)
        {
            return false;
        }

        try
        {
            await changed.WaitAsync(patience, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return placement.Find(key) is not null;
        }
    }
}
