using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Platform.Benchmarks.Tier;

/// <summary>The limit of the machine's disk in this very run, by fio; where that is not installed, by a loop of direct reads and writes on threads of this process.</summary>
/// <param name="folder">Where its files are: beside ours.</param>
internal sealed class RawDisk(string folder)
{
    /// <summary>True if fio is installed.</summary>
    public static bool IsAvailable => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(path => File.Exists(Path.Combine(path, "fio")));

    /// <summary>What is compared with.</summary>
    public static string Name => IsAvailable ? "fio" : "a loop of pread and pwrite with O_DIRECT in C# (fio is not installed: apt-get install fio)";

    /// <summary>Reads blocks of a file, in order or at random.</summary>
    public static Task<Window> ReadAsync(string file, int blockBytes, int depth, bool random, long bytes) => !IsAvailable ? RawLoop.ReadAsync(file, blockBytes, depth, random, bytes) : RunAsync(
        "read",
        [$"--filename={file}", $"--rw={(random ? "randread" : "read")}", $"--bs={blockBytes}", $"--iodepth={depth}", $"--io_size={bytes}", "--readonly", "--norandommap"]);

    /// <summary>Writes a new file and makes it durable.</summary>
    public async Task<Window> WriteAsync(long bytes, int blockBytes, int depth)
    {
        var file = Path.Combine(folder, "fio-write");
        File.Delete(file);
        var window = !IsAvailable ? await RawLoop.WriteAsync(file, bytes, blockBytes, depth) : await RunAsync("write", [$"--filename={file}", "--rw=write", $"--bs={blockBytes}", $"--iodepth={depth}", $"--size={bytes}", "--end_fsync=1", "--fallocate=posix"]);
        File.Delete(file);
        return window;
    }

    private static async Task<Window> RunAsync(string direction, string[] arguments)
    {
        string[] all = ["--name=raw", "--direct=1", "--ioengine=libaio", "--output-format=json", "--group_reporting", .. arguments];
        using var fio = Process.Start(new ProcessStartInfo("fio", all) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = fio.StandardError.ReadToEndAsync();
        var output = await fio.StandardOutput.ReadToEndAsync();
        await fio.WaitForExitAsync();
        if (fio.ExitCode != 0)
        {
            throw new InvalidOperationException($"fio failed ({fio.ExitCode.ToString(CultureInfo.InvariantCulture)}): {await errors} {output}");
        }

        using var json = JsonDocument.Parse(output[output.IndexOf('{')..]);
        var job = json.RootElement.GetProperty("jobs")[0];
        var seconds = job.GetProperty("job_runtime").GetDouble() / 1000;
        var share = (job.GetProperty("usr_cpu").GetDouble() + job.GetProperty("sys_cpu").GetDouble()) / 100;
        return new Window(job.GetProperty(direction).GetProperty("io_bytes").GetInt64(), seconds, seconds * share);
    }
}
