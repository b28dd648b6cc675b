using Platform.DataPlane;
using Platform.Local.Sidecar.Actors;
using Platform.Local.Sidecar.Invocation;
using Platform.Local.Sidecar.Peers;
using Platform.Local.Sidecar.PubSub;
using Platform.Local.Sidecar.State;

namespace Platform.Local.Sidecar;

/// <summary>All sidecars of one process and what they share: the durable store, the names of the apps, the actors and their reminders.</summary>
internal sealed class SidecarCluster : IAsyncDisposable
{
    private static readonly TimeSpan HousekeepingInterval = TimeSpan.FromSeconds(1);
    private const int ExpirySweepTicks = 60;
    private readonly List<EmbeddedSidecar> _sidecars = [];
    private readonly Dictionary<string, StateStore> _stores = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly DurableStore _store;
    private readonly DurableStore _messages;
    private readonly Task _housekeeping;

    private SidecarCluster(SidecarClusterOptions options, DurableStore store, DurableStore messages)
    {
        Options = options;
        _store = store;
        _messages = messages;
        Peers = new PeerRegistry(options.RegistryFolder, options.Time);
        var log = options.LoggerFactory.CreateLogger("Platform.Local.Sidecar.Actors");
        Actors = new ActorTable(new ActorPlacement(), log, options.Time);
        Reminders = new ReminderScheduler(store, Actors, log, options.Time);
        Broker = new MessageBroker(messages, options.LoggerFactory.CreateLogger("Platform.Local.Sidecar.PubSub"), options.Time);
        _housekeeping = KeepHouseAsync(_stop.Token);
    }

    public SidecarClusterOptions Options { get; }

    public AppDirectory Apps { get; } = new();

    public PeerRegistry Peers { get; }

    public ActorTable Actors { get; }

    public ReminderScheduler Reminders { get; }

    public MessageBroker Broker { get; }

    /// <summary>Opens what the sidecars share. State, messages and reminders of earlier runs are there again.</summary>
    /// <exception cref="StorageException">The folder is in use by another process, damaged, or of another version.</exception>
    public static async Task<SidecarCluster> OpenAsync(SidecarClusterOptions options, CancellationToken cancellationToken = default)
    {
        var store = await DurableStore.OpenAsync(new DurableStoreOptions { Folder = Path.Combine(options.StateFolder, "store") }, cancellationToken);
        try
        {
            // Apart from the state: a topic that nobody reads must not fill the store of those who only keep state.
            var messages = await DurableStore.OpenAsync(new DurableStoreOptions { Folder = Path.Combine(options.StateFolder, "messages") }, cancellationToken);
            return new SidecarCluster(options, store, messages);
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the sidecar of an app. It waits for the app by itself.</summary>
    /// <exception cref="SidecarException">A setting or a resource file cannot be honoured, the port is taken, or the app id is.</exception>
    public async Task<EmbeddedSidecar> StartAsync(SidecarOptions options, CancellationToken cancellationToken = default)
    {
        var sidecar = await EmbeddedSidecar.StartAsync(this, options, cancellationToken);
        lock (_gate)
        {
            _sidecars.Add(sidecar);
        }

        return sidecar;
    }

    /// <summary>The store behind a component name; apps that load the same component share it.</summary>
    public StateStore StoreOf(string component)
    {
        lock (_gate)
        {
            if (!_stores.TryGetValue(component, out var store))
            {
                _stores.Add(component, store = new StateStore(_store, component, Options.Time));
            }

            return store;
        }
    }

    /// <summary>Stops all sidecars: no new turns, running ones are drained, everything acknowledged is on disk.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _housekeeping;
        await Reminders.DisposeAsync();
        List<EmbeddedSidecar> sidecars;
        lock (_gate)
        {
            sidecars = [.. _sidecars];
        }

        await Task.WhenAll(sidecars.Select(sidecar => sidecar.DisposeAsync().AsTask()));
        await Broker.DisposeAsync();
        await _messages.DisposeAsync();
        await _store.DisposeAsync();
        Peers.Dispose();
        _stop.Dispose();
    }

    private async Task ForgetExpiredAsync(CancellationToken cancellationToken)
    {
        List<StateStore> stores;
        lock (_gate)
        {
            stores = [.. _stores.Values];
        }

        try
        {
            foreach (var store in stores)
            {
                await store.ForgetExpiredAsync(cancellationToken);
            }
        }
        catch (StorageException)
        {
            // The disk has no room or fails: writers are told, and the next sweep tries again.
        }
    }

    private async Task KeepHouseAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(HousekeepingInterval, Options.Time);
        try
        {
            for (var tick = 1; await timer.WaitForNextTickAsync(cancellationToken); tick++)
            {
                Actors.DeactivateIdle();
                if (tick % ExpirySweepTicks == 0)
                {
                    await ForgetExpiredAsync(cancellationToken);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }
}
