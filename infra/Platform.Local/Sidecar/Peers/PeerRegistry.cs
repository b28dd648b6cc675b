using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;

namespace Platform.Local.Sidecar.Peers;

/// <summary>How sidecars of several processes find each other: a folder with one small file per app id. Thread-safe.</summary>
/// <remarks>It stands for daprd's name resolution. Calls and actors cross processes; topics and state do not, since each process keeps its own store.</remarks>
internal sealed class PeerRegistry : IDisposable
{
    /// <summary>Header by which a peer proves itself.</summary>
    public const string SecretHeader = "platform-peer";

    /// <summary>Header with the app id for which a peer calls.</summary>
    public const string CallerHeader = "platform-peer-caller";

    private static readonly TimeSpan Freshness = TimeSpan.FromMilliseconds(250);
    private readonly string? _folder;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly HttpMessageInvoker _invoker = new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ActivityHeadersPropagator = null,
        ConnectTimeout = TimeSpan.FromSeconds(5),
    });

    private IReadOnlyList<PeerEntry> _peers = [];
    private long? _readAt;

    /// <param name="folder">The registry folder; null: there are no peers.</param>
    /// <param name="time">The clock.</param>
    public PeerRegistry(string? folder, TimeProvider time)
    {
        _folder = folder;
        _time = time;
        if (folder is not null)
        {
            Directory.CreateDirectory(folder);
        }
    }

    /// <summary>This process's own secret.</summary>
    public string Secret { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>Makes a sidecar of this process known, or changes what is known of it.</summary>
    public void Publish(string appId, int httpPort, IReadOnlyList<string> actorTypes)
    {
        if (_folder is null)
        {
            return;
        }

        var entry = new PeerEntry { AppId = appId, ProcessId = Environment.ProcessId, HttpPort = httpPort, Secret = Secret, ActorTypes = actorTypes };
        var file = FileOf(appId);
        var next = $"{file}.{Environment.ProcessId}";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (var stream = new FileStream(next, options))
        {
            JsonSerializer.Serialize(stream, entry, SidecarJson.Default.PeerEntry);
        }

        File.Move(next, file, overwrite: true); // Readers see the old entry or the new one, never half of one.
    }

    /// <summary>Makes a sidecar of this process unknown.</summary>
    public void Withdraw(string appId)
    {
        if (_folder is not null && Read(FileOf(appId))?.Secret == Secret)
        {
            File.Delete(FileOf(appId));
        }
    }

    /// <summary>The sidecar of an app in another process; null if none is alive.</summary>
    public PeerEntry? FindApp(string appId) => Peers().FirstOrDefault(peer => peer.AppId == appId);

    /// <summary>A sidecar in another process whose app hosts an actor type; null if none is alive.</summary>
    public PeerEntry? FindActorHost(string type) => Peers().FirstOrDefault(peer => peer.ActorTypes.Contains(type));

    /// <summary>Sends a request to a peer's API on behalf of an app.</summary>
    /// <exception cref="HttpRequestException">The peer did not answer.</exception>
    public Task<HttpResponseMessage> SendAsync(PeerEntry peer, string callerAppId, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.TryAddWithoutValidation(SecretHeader, peer.Secret);
        request.Headers.TryAddWithoutValidation(CallerHeader, callerAppId);
        return _invoker.SendAsync(request, cancellationToken);
    }

    public void Dispose() => _invoker.Dispose();

    private static PeerEntry? Read(string file)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(file), SidecarJson.Default.PeerEntry);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    private static bool IsAlive(int processId)
    {
        try
        {
            using var process = Process.GetProcessById(processId);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private string FileOf(string appId) => Path.Combine(_folder!, appId + ".json");

    private IReadOnlyList<PeerEntry> Peers()
    {
        if (_folder is null)
        {
            return [];
        }

        lock (_gate)
        {
            if (_readAt is not { } readAt || _time.GetElapsedTime(readAt) > Freshness)
            {
                _peers = [.. Directory.EnumerateFiles(_folder, "*.json").Select(Read).OfType<PeerEntry>().Where(peer => peer.ProcessId != Environment.ProcessId && IsAlive(peer.ProcessId))];
                _readAt = _time.GetTimestamp();
            }

            return _peers;
        }
    }
}
