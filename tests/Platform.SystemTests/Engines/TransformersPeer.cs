using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Platform.SystemTests.Engines;

/// <summary>Hugging Face transformers, where this machine's Python has it: writes models, says what it makes of a prompt, serves.</summary>
public sealed class TransformersPeer : IAsyncLifetime
{
    private const string Probe = "import torch, transformers; print(transformers.__version__, torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')";
    private string? _absent;

    internal static string Scripts => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "python", "transformers"));

    internal string Folder { get; } = Directory.CreateTempSubdirectory("transformers-").FullName;

    /// <summary>The CUDA device that it computes on; empty if none.</summary>
    public string Gpu { get; private set; } = "";

    /// <summary>By family: <c>prompt</c>, <c>text</c>, <c>tokens</c>.</summary>
    public JsonNode Expected { get; private set; } = new JsonObject();

    public async ValueTask InitializeAsync()
    {
        if (await RunAsync("-c", Probe) is { } found)
        {
            Gpu = found.Trim().Split(' ', 2) is [_, var name] ? name : "";
            Expected = JsonNode.Parse((await RunAsync(Path.Combine(Scripts, "models.py"), Folder)) ?? throw new InvalidOperationException(_absent))!;
        }
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    public void SkipIfAbsent() => Assert.SkipWhen(Expected.AsObject().Count == 0, $"Python has no transformers here: {_absent}");

    private async Task<string?> RunAsync(params string[] arguments)
    {
        try
        {
            using var python = Process.Start(new ProcessStartInfo("python3", arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            var errors = python.StandardError.ReadToEndAsync();
            var output = await python.StandardOutput.ReadToEndAsync();
            await python.WaitForExitAsync();
            _absent = (await errors).Trim().Split('\n')[^1];
            return python.ExitCode == 0 ? output : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            _absent = "there is no python3";
            return null;
        }
    }
}
