using System.ComponentModel.DataAnnotations;

namespace Platform.Worker.Engines.External;

/// <summary>A server program that runs models in place of the built-in engine: section <c>Worker:External</c>, for example <c>Worker__External__Command__0=vllm</c>.</summary>
public sealed class ExternalEngineOptions
{
    /// <summary>Program and arguments, one per entry; none (the default) for the built-in engine. <c>{model_dir}</c>, <c>{model}</c>, <c>{port}</c> and <c>{gpu}</c> are filled in. No shell is involved.</summary>
    public IList<string> Command { get; } = [];

    /// <summary>Environment of the program, beside this process's own; the same fields are filled in.</summary>
    public IDictionary<string, string> Environment { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>What <c>{gpu}</c> stands for. Default <c>0</c>.</summary>
    public string Gpu { get; set; } = "0";

    /// <summary>Path that answers 2xx when the server can run the model. Default <c>/health</c>, which vLLM, TGI and llama.cpp have; Triton: <c>/v2/health/ready</c>.</summary>
    [RegularExpression("^/.*", ErrorMessage = "Worker:External:HealthPath begins with '/'.", MatchTimeoutInMilliseconds = 1000)]
    public string HealthPath { get; set; } = "/health";

    /// <summary>The model's name as the server knows it, in requests. Default <c>{model}</c>.</summary>
    public string ServedName { get; set; } = "{model}";

    /// <summary>How long a server may take to become healthy. Default 10 min, 100 ms to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan StartLimit { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Pause between probes while it starts. Default 200 ms, 10 ms to 1 min. Afterwards it is probed ten times less often.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan ProbeEvery { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Longest wait for one probe's answer. Default 5 s, 10 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan ProbeLimit { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Probes in a row that fail before a running server is restarted. Default 3, 1 to 100.</summary>
    [Range(1, 100)]
    public int ProbeFailures { get; set; } = 3;

    /// <summary>Pause before the first restart; doubled with every one that follows before the server was healthy for a minute, up to a minute. Default 1 s, 1 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan RestartPause { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Restarts in a row without the server becoming healthy, after which the model is given up. Default 5, 0 to 1000.</summary>
    [Range(0, 1000)]
    public int MaxRestarts { get; set; } = 5;

    /// <summary>How long calls may go on, and then the server may take to end, when the model is unloaded. Default 10 s, 0 to 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan DrainLimit { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>A text with its fields filled in.</summary>
    internal static string Fill(string text, string modelFolder, string model, int port, string gpu) => text
        .Replace("{model_dir}", modelFolder, StringComparison.Ordinal)
        .Replace("{model}", model, StringComparison.Ordinal)
        .Replace("{port}", port.ToString(), StringComparison.Ordinal)
        .Replace("{gpu}", gpu, StringComparison.Ordinal);
}
