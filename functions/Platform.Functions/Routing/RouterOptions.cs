namespace Platform.Functions.Routing;

/// <summary>How completions find their worker. Bound to the configuration section <c>Router</c>.</summary>
internal sealed class RouterOptions
{
    /// <summary>The node table is asked for anew when it is older than this. Default 500 ms.</summary>
    public TimeSpan TableRefresh { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>A table older than this is not used without asking first. Default 5 s.</summary>
    public TimeSpan TableStale { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a worker that has just served a model counts as having it, whatever the table says. Default 5 s.</summary>
    public TimeSpan ReplicaMemory { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest wait for the table itself; then the old one serves. Default 2 s.</summary>
    public TimeSpan TableTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Calls held at once while their model is placed and loaded. Beyond it: 429. Default 256.</summary>
    public int MaxHeldCalls { get; set; } = 256;

    /// <summary>Longest time from arrival to the first token; then 503. Default 200 s, below the 230 s of Azure's front end.</summary>
    public TimeSpan HoldLimit { get; set; } = TimeSpan.FromSeconds(200);

    /// <summary>Answers of 429 and 503, or of a model gone, after which the last one goes to the client. Default 3.</summary>
    public int MaxRefusals { get; set; } = 3;

    /// <summary>How long a call is held while no worker can be reached or can take it. Default 15 s.</summary>
    public TimeSpan WorkerPatience { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a call waits for control to come back. Default 10 s.</summary>
    public TimeSpan ControlPatience { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Largest body of a completion request. Default 4 MiB.</summary>
    public int MaxRequestBytes { get; set; } = 4 * 1024 * 1024;
}
