using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.Local.FunctionsHost;

namespace Platform.ConformanceTests.Functions;

/// <summary>An app written for the isolated worker model, compiled with its using lines changed (see <c>tests/Platform.IsolatedSample</c>), behind the embedded host: our glue as handlers, whatever they do.</summary>
public abstract class IsolatedSampleApp : IAsyncLifetime
{
    private static readonly string AppRoot = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../Platform.IsolatedSample/bin"));
    private readonly string _state = Directory.CreateTempSubdirectory("isolated-state-").FullName;

    internal EmbeddedFunctionsHost Host { get; private set; } = null!;

    internal HttpClient Client { get; private set; } = null!;

    private protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Settings of the app, besides those of its file.</summary>
    private protected virtual Dictionary<string, string> Settings => [];

    public async ValueTask InitializeAsync()
    {
        Host = await StartAsync(_state, Settings);
        Client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri($"http://127.0.0.1:{Host.Port}/") };
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        Client.Dispose();
        await Host.DisposeAsync();
        Directory.Delete(_state, recursive: true);
    }

    internal static Task<EmbeddedFunctionsHost> StartAsync(string state, Dictionary<string, string> settings) => EmbeddedFunctionsHost.StartAsync(
        new FunctionsHostOptions { AppRoot = AppRoot, StateFolder = state, Port = 0, Environment = settings, DrainTimeout = TimeSpan.FromSeconds(3) },
        NullLoggerFactory.Instance,
        Cancel);

    private protected Task SendAsync(string queue, ReadOnlySpan<byte> message) => Host.Queues.Open(queue).SendAsync(Convert.ToBase64String(message), Cancel);

    /// <summary>Waits for so many messages, and gives their texts in order of the alphabet: the queue promises none.</summary>
    private protected async Task<IReadOnlyList<string>> MessagesAsync(string queue, int count)
    {
        while (Host.Queues.Open(queue).Count < count)
        {
            await Task.Delay(10, Cancel);
        }

        return [.. Host.Queues.Open(queue).Peek(100).Select(message => Encoding.UTF8.GetString(Convert.FromBase64String(message.Text))).Order(StringComparer.Ordinal)];
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
