using System.Diagnostics;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Platform.Local;

namespace Platform.Benchmarks.Dispatch;

/// <summary>The processes that are measured: our sidecar, our Functions host, nginx and Redis of the machine, each on a free port.</summary>
internal sealed partial class Peers(string folder) : IDisposable
{
    private readonly List<Process> _processes = [];

    /// <summary>Starts <c>platform sidecar</c>; completes when it serves.</summary>
    public Task<(Process Process, int Port)> StartSidecarAsync(int appPort, string resources) =>
        StartPlatformAsync(["sidecar", "--app-id", "bench", "--app-port", appPort.ToString(), "--dapr-http-port", "0", "--resources-path", resources, "--log-level", "warn"]);

    /// <summary>Starts <c>platform host</c> on an app; completes when it serves.</summary>
    public Task<(Process Process, int Port)> StartHostAsync(string appRoot) => StartPlatformAsync(["host", "--app-root", appRoot, "--port", "0"]);

    private async Task<(Process Process, int Port)> StartPlatformAsync(string[] arguments)
    {
        var process = Start("dotnet", [Path.Combine(AppContext.BaseDirectory, "platform.dll"), .. arguments]);
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (Address().Match(line) is { Success: true } match)
            {
                _ = process.StandardOutput.ReadToEndAsync();
                return (process, int.Parse(match.Groups["port"].ValueSpan));
            }
        }

        throw new InvalidOperationException($"platform {arguments[0]} did not start");
    }

    /// <summary>Starts nginx as a proxy with kept connections; null if it is not installed.</summary>
    public async Task<int?> StartNginxAsync(int appPort, string name = "nginx")
    {
        if (Find("nginx") is not { } nginx)
        {
            return null;
        }

        var port = LoopbackPort.AnyFree();
        var configuration = Path.Combine(folder, name + ".conf");
        await File.WriteAllTextAsync(configuration, $$"""
            daemon off; worker_processes 1; pid {{folder}}/{{name}}.pid; error_log /dev/null;
            events { worker_connections 256; }
            http {
              access_log off; client_body_temp_path {{folder}}/b; proxy_temp_path {{folder}}/p; fastcgi_temp_path {{folder}}/f; uwsgi_temp_path {{folder}}/u; scgi_temp_path {{folder}}/s;
              keepalive_requests 10000000;
              upstream app { server 127.0.0.1:{{appPort}}; keepalive 64; keepalive_requests 10000000; }
              server { listen 127.0.0.1:{{port}}; location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; } }
            }
            """);
        Start(nginx, ["-c", configuration, "-p", folder]);
        await UntilOpenAsync(port);
        return port;
    }

    /// <summary>Starts Redis so that every write is on disk before it is acknowledged, as ours is; null if it is not installed.</summary>
    public async Task<int?> StartRedisAsync()
    {
        if (Find("redis-server") is not { } redis)
        {
            return null;
        }

        var port = LoopbackPort.AnyFree();
        Start(redis, ["--port", port.ToString(), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        await UntilOpenAsync(port);
        return port;
    }

    /// <summary>Starts RabbitMQ with files of its own; null if it is not installed, or does not serve within a minute.</summary>
    public async Task<int?> StartRabbitMqAsync()
    {
        if (Find("rabbitmq-server", "/usr/lib/rabbitmq/bin") is not { } rabbit)
        {
            return null;
        }

        var port = LoopbackPort.AnyFree();
        var state = Directory.CreateDirectory(Path.Combine(folder, "rabbitmq")).FullName;
        Start(rabbit, [], new Dictionary<string, string>
        {
            ["HOME"] = state,
            ["RABBITMQ_NODENAME"] = $"bench{port}@localhost",
            ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODE_PORT"] = port.ToString(),
            ["RABBITMQ_DIST_PORT"] = LoopbackPort.AnyFree().ToString(),
            ["RABBITMQ_MNESIA_BASE"] = state,
            ["RABBITMQ_LOG_BASE"] = state,
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = Path.Combine(state, "plugins"),
            ["RABBITMQ_CONFIG_FILE"] = Path.Combine(state, "none"),
        });
        return await RabbitMqQueue.AnswersAsync(port, TimeSpan.FromMinutes(1)) ? port : null;
    }

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }
    }

    private static string? Find(string program, string first = "/usr/sbin") => $"{first}:{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin".Split(':').Select(path => Path.Combine(path, program)).FirstOrDefault(File.Exists);

    private static async Task UntilOpenAsync(int port)
    {
        for (var attempt = 0; ; attempt++)
        {
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync("127.0.0.1", port);
                return;
            }
            catch (SocketException) when (attempt < 200)
            {
                await Task.Delay(25);
            }
        }
    }

    private Process Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, UseShellExecute = false, Environment = { ["PLATFORM_HOME"] = folder } };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        _processes.Add(process);
        return process;
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:(?<port>\d+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Address();
}
