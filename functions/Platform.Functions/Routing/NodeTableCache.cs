using Microsoft.Extensions.Options;
using Platform.Dapr;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>The node table as control last told it. Calls read it without waiting; one refresh at a time runs beside them.</summary>
/// <remarks>While control is away the last table serves on, however old: a worker that is gone shows itself by not answering.</remarks>
internal sealed class NodeTableCache(DaprInvoker dapr, TimeProvider time, IOptions<RouterOptions> options, ILogger<NodeTableCache> logger)
{
    private static readonly NodeTable Empty = new([]);

    private readonly Lock _lock = new();
    private Snapshot? _snapshot;
    private Task<Snapshot?>? _refresh;

    /// <summary>How old the table is; null if there has been none yet.</summary>
    public TimeSpan? Age => Volatile.Read(ref _snapshot) is { } snapshot ? time.GetElapsedTime(snapshot.At) : null;

    /// <summary>The table: at once if it is fresh enough, else after a refresh.</summary>
    public async ValueTask<NodeTable> GetAsync(CancellationToken cancellationToken)
    {
        var snapshot = Volatile.Read(ref _snapshot);
        var age = snapshot is null ? TimeSpan.MaxValue : time.GetElapsedTime(snapshot.At);
        if (age < options.Value.TableRefresh)
        {
            return snapshot!.Table;
        }

        var refresh = RefreshAsync();
        if (age < options.Value.TableStale)
        {
            return snapshot!.Table;
        }

        return (await refresh.WaitAsync(cancellationToken) ?? snapshot)?.Table ?? Empty;
    }

    /// <summary>The table as control tells it now.</summary>
    /// <exception cref="DaprInvocationException">Control does not answer.</exception>
    public async Task<NodeTable> FetchAsync(CancellationToken cancellationToken)
    {
        var table = await dapr.InvokeMethodAsync(HttpMethod.Get, AppIds.Control, Routes.ControlNodes, JobsJson.Default.NodeTable, cancellationToken);
        Volatile.Write(ref _snapshot, new Snapshot(table, time.GetTimestamp()));
        return table;
    }

    private Task<Snapshot?> RefreshAsync()
    {
        lock (_lock)
        {
            if (_refresh is null or { IsCompleted: true })
            {
                _refresh = Task.Run(RefreshOnceAsync);
            }

            return _refresh;
        }
    }

    private async Task<Snapshot?> RefreshOnceAsync()
    {
        using var timeout = new CancellationTokenSource(options.Value.TableTimeout, time);
        try
        {
            await FetchAsync(timeout.Token);
            return _snapshot;
        }
        catch (Exception exception) when (exception is DaprException or OperationCanceledException)
        {
            logger.TableNotRefreshed((long)(Age?.TotalMilliseconds ?? 0), exception.Message);
            return null;
        }
    }

    private sealed record Snapshot(NodeTable Table, long At);
}
