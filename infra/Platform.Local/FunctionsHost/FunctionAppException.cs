namespace Platform.Local.FunctionsHost;

/// <summary>A function app, or the host's own setting, is not fit to be served; the message says which file, what was found and what to do.</summary>
internal class FunctionAppException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The port that the host should listen on belongs to another process.</summary>
internal sealed class PortInUseException(string address, int port, Exception inner)
    : FunctionAppException($"Port {port} on {address} is in use by another process. Stop that process, or choose another port with --port.", inner)
{
    /// <summary>The port.</summary>
    public int Port { get; } = port;
}
