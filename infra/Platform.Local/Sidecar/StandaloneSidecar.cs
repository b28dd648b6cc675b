using Platform.DataPlane;
using Platform.Jobs;

namespace Platform.Local.Sidecar;

/// <summary>One sidecar in a process of its own: what <c>platform sidecar</c> runs.</summary>
/// <remarks>State, topics and reminders lie in the app's own folder below the state folder. Apps of several such processes call each other and each other's actors; topics stay within one process.</remarks>
internal static class StandaloneSidecar
{
    /// <summary>That of daprd.</summary>
    private const int ForcedExitCode = 1;

    /// <summary>Serves one app until it is stopped, by the token or by the API's shutdown.</summary>
    /// <param name="options">The sidecar.</param>
    /// <param name="stateFolder">Folder for the state of sidecars; created if absent.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="started">Told of the sidecar when its port is open.</param>
    /// <param name="cancellationToken">Stops it gracefully.</param>
    /// <exception cref="SidecarException">A setting cannot be honoured, or the port is taken.</exception>
    /// <exception cref="StorageException">The folder is in use by another process, or damaged.</exception>
    public static async Task RunStandaloneAsync(SidecarOptions options, string stateFolder, ILoggerFactory loggers, Action<EmbeddedSidecar>? started, CancellationToken cancellationToken)
    {
        InlineSockets.Enable();
        var cluster = await SidecarCluster.OpenAsync(new SidecarClusterOptions
        {
            StateFolder = Path.Combine(stateFolder, options.AppId),
            RegistryFolder = Path.Combine(stateFolder, "registry"),
            LoggerFactory = loggers,
        }, cancellationToken);
        await using (cluster)
        {
            // What was acknowledged is durable, so that nothing needs to be closed.
            var sidecar = await cluster.StartAsync(options with { ForcedShutdown = () => Environment.Exit(ForcedExitCode) }, cancellationToken);
            started?.Invoke(sidecar);
            try
            {
                await sidecar.Stopped.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                // Asked to stop; disposal does it gracefully.
            }
        }
    }
}
