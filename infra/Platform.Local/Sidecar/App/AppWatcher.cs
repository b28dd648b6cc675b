using System.Net.Sockets;
using System.Text.Json;

namespace Platform.Local.Sidecar.App;

/// <summary>What the app said about itself when it came up: one object per life of the app's process.</summary>
/// <param name="ActorTypes">Actor types it hosts.</param>
/// <param name="Subscriptions">Its answer to <c>/dapr/subscribe</c>; null if that was none: no word about what it wants no more.</param>
internal sealed record AppLife(IReadOnlyList<ActorTypeSettings> ActorTypes, ReadOnlyMemory<byte>? Subscriptions);

/// <summary>Follows the app: waits for its port, reads its callbacks, notices at once when its process dies, and begins again.</summary>
/// <remarks>
/// An idle connection is held open to the app; the system closes it the moment the process ends, however it ends. An app that merely closes idle connections
/// accepts the next one, which tells the two apart.
/// </remarks>
internal sealed class AppWatcher : IAsyncDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan DiskPause = TimeSpan.FromSeconds(1);
    private readonly AppChannel _app;
    private readonly SidecarOptions _options;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly Func<AppLife, Task> _cameUp;
    private readonly Func<Task> _wentAway;
    private readonly Action<string> _unhealthy;
    private readonly CancellationTokenSource _stop = new();
    private Task _watching = Task.CompletedTask;
    private volatile bool _refused;
    private TcpClient? _canary;

    public AppWatcher(AppChannel app, SidecarOptions options, ILogger log, TimeProvider time, Func<AppLife, Task> cameUp, Func<Task> wentAway, Action<string> unhealthy)
    {
        _app = app;
        _options = options;
        _log = log;
        _time = time;
        _cameUp = cameUp;
        _wentAway = wentAway;
        _unhealthy = unhealthy;
        app.Refused = () =>
        {
            // Whatever the canary still believes: nobody listened, so this life is over.
            _refused = true;
            Volatile.Read(ref _canary)?.Close();
        };
    }

    /// <summary>True between the loading of the app's callbacks and the app's end.</summary>
    public bool IsUp { get; private set; }

    public void Start() => _watching = Task.Run(() => WatchAsync(_stop.Token));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        try
        {
            await _watching;
        }
        catch (OperationCanceledException)
        {
            // Asked to.
        }

        _stop.Dispose();
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            using var canary = await ConnectAsync(retry: true, cancellationToken);
            try
            {
                if (_options.EnableAppHealthCheck)
                {
                    await UntilHealthyAsync(cancellationToken);
                }

                var life = await ReadCallbacksAsync(cancellationToken);
                await _cameUp(life);
            }
            catch (HttpRequestException e)
            {
                SidecarLog.AppNotReady(_log, _options.AppId, e.Message);
                await Task.Delay(PollInterval, _time, cancellationToken);
                continue;
            }
            catch (IOException e)
            {
                // The disk has no room for its subscriptions: it is as if it were away until there is.
                SidecarLog.AppNotTaken(_log, e, _options.AppId);
                await _wentAway();
                await Task.Delay(DiskPause, _time, cancellationToken);
                continue;
            }

            IsUp = true;
            SidecarLog.AppUp(_log, _options.AppId, _options.AppPort ?? 0);
            try
            {
                await UntilGoneAsync(canary!, cancellationToken);
            }
            finally
            {
                await _wentAway(); // First, so that whoever sees that it is not up knows that nothing more is sent to it.
                IsUp = false;
            }

            SidecarLog.AppAway(_log, _options.AppId, _options.AppPort ?? 0);
        }
    }

    private async Task<TcpClient?> ConnectAsync(bool retry, CancellationToken cancellationToken)
    {
        while (true)
        {
            var client = new TcpClient { NoDelay = true };
            try
            {
                await client.ConnectAsync(_app.Host, _app.Port!.Value, cancellationToken);
                return client;
            }
            catch (SocketException) when (retry)
            {
                client.Dispose();
                await Task.Delay(PollInterval, _time, cancellationToken);
            }
            catch (SocketException)
            {
                client.Dispose();
                return null;
            }
        }
    }

    /// <summary>Completes when the process is gone or the app is unhealthy.</summary>
    private async Task UntilGoneAsync(TcpClient canary, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var unhealthy = _options.EnableAppHealthCheck ? UntilUnhealthyAsync(ended.Token) : Task.Delay(Timeout.Infinite, ended.Token);
        TcpClient? current = canary;
        _refused = false;
        while (current is not null && !_refused)
        {
            Volatile.Write(ref _canary, current);
            var since = _time.GetTimestamp();
            var closed = UntilClosedAsync(current, ended.Token);
            if (await Task.WhenAny(closed, unhealthy) == unhealthy)
            {
                break;
            }

            current.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            if (_refused)
            {
                break;
            }

            if (_time.GetElapsedTime(since) < PollInterval)
            {
                await Task.Delay(PollInterval, _time, cancellationToken); // An app that closes idle connections at once must not make this a busy loop.
            }

            current = await ConnectAsync(retry: false, cancellationToken);
        }

        current?.Dispose();
        await ended.CancelAsync();
    }

    private static async Task UntilClosedAsync(TcpClient client, CancellationToken cancellationToken)
    {
        var buffer = new byte[512];
        try
        {
            while (await client.GetStream().ReadAsync(buffer, cancellationToken) > 0)
            {
                // Servers may say 408 before they close; only the end matters.
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException or OperationCanceledException)
        {
            // Closed, one way or another.
        }
    }

    private async Task<AppLife> ReadCallbacksAsync(CancellationToken cancellationToken)
    {
        var config = await GetAsync("dapr/config", cancellationToken);
        IReadOnlyList<ActorTypeSettings> types = [];
        if (config is not null)
        {
            try
            {
                types = AppConfiguration.Parse(config.Value);
            }
            catch (JsonException e)
            {
                SidecarLog.CallbackUnreadable(_log, _options.AppId, "/dapr/config", e.Message);
            }
        }

        return new AppLife(types, await GetAsync("dapr/subscribe", cancellationToken));
    }

    private async Task<ReadOnlyMemory<byte>?> GetAsync(string path, CancellationToken cancellationToken)
    {
        using var slot = await _app.EnterAsync(cancellationToken);
        using var request = new HttpRequestMessage(HttpMethod.Get, _app.AddressOf(path));
        using var response = await _app.SendAsync(request, cancellationToken);
        return response.StatusCode == System.Net.HttpStatusCode.OK ? (ReadOnlyMemory<byte>?)await response.Content.ReadAsByteArrayAsync(cancellationToken) : null;
    }

    private async Task UntilHealthyAsync(CancellationToken cancellationToken)
    {
        _app.IsHealthy = false;
        _refused = false;
        while (!await IsHealthyAsync(cancellationToken))
        {
            if (_refused)
            {
                throw new HttpRequestException("it went away before it was healthy"); // Its next life is looked for at once, not at the next check.
            }

            await Task.Delay(_options.AppHealthProbeInterval, _time, cancellationToken);
        }

        _app.IsHealthy = true;
    }

    private async Task UntilUnhealthyAsync(CancellationToken cancellationToken)
    {
        for (var failures = 0; failures < _options.AppHealthThreshold;)
        {
            await Task.Delay(_options.AppHealthProbeInterval, _time, cancellationToken);
            failures = await IsHealthyAsync(cancellationToken) ? 0 : failures + 1;
        }

        _app.IsHealthy = false;
        _unhealthy($"failed its health check {_options.AppHealthCheckPath} {_options.AppHealthThreshold} times in a row");
    }

    private async Task<bool> IsHealthyAsync(CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(_options.AppHealthProbeTimeout);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, _app.AddressOf(_options.AppHealthCheckPath.TrimStart('/')));
            using var response = await _app.SendAsync(request, timeout.Token);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }
}
