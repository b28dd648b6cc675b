using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.Jobs;

namespace Platform.SystemTests;

/// <summary>A platform with the demo model, shared by the tests of a class, and its HTTP surface as any client sees it.</summary>
public class RunningPlatform : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly IReadOnlyDictionary<string, string>? _settings;
    private PlatformProcess? _up;

    public RunningPlatform()
    {
    }

    /// <param name="settings">Environment of the platform and of every program that it starts.</param>
    protected RunningPlatform(IReadOnlyDictionary<string, string> settings) => _settings = settings;

    public string Home { get; } = Directory.CreateTempSubdirectory("platform-up-").FullName;

    public HttpClient Http { get; private set; } = new();

    public async ValueTask InitializeAsync()
    {
        await StartAsync(CancellationToken.None);
        await using var push = await PlatformProcess.RunAsync(CancellationToken.None, "models", "push", DemoModel, "--name", "demo", "--home", Home);
        Assert.True(push.ExitCode == 0, push.Everything());
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (_up is not null)
        {
            await _up.DisposeAsync();
        }

        Directory.Delete(Home, recursive: true);
        GC.SuppressFinalize(this);
    }

    internal static string DemoModel => Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "infra", "demo-model", "model");

    internal PlatformProcess Up => _up!;

    /// <summary>Starts <c>platform up</c> on the state folder.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _up = await PlatformProcess.UpAsync(Home, cancellationToken, _settings);
        Http.Dispose();
        Http = new HttpClient { BaseAddress = PlatformProcess.UrlOf(Home) };
        await UntilAsync(async () => (await NodesAsync(cancellationToken)).Count(node => node.Alive) == 2, "two living workers", cancellationToken);
    }

    /// <summary>kill -9 of the supervisor.</summary>
    public Task KillSupervisorAsync(CancellationToken cancellationToken) => _up!.KillAsync(cancellationToken);

    public async Task<IReadOnlyList<NodeStatus>> NodesAsync(CancellationToken cancellationToken) =>
        (await Http.GetFromJsonAsync("api/status", JobsJson.Default.NodeTable, cancellationToken))!.Nodes;

    public async Task<JsonNode> CompleteAsync(string prompt, CancellationToken cancellationToken)
    {
        using var answer = await PostAsync("v1/completions", new JsonObject { ["model"] = "demo", ["prompt"] = prompt, ["max_tokens"] = 16, ["temperature"] = 0 }.ToJsonString(), cancellationToken);
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode} {body}");
        return JsonNode.Parse(body)!;
    }

    public Task<HttpResponseMessage> PostAsync(string path, string body, CancellationToken cancellationToken) =>
        Http.PostAsync(new Uri(path, UriKind.Relative), new StringContent(body, Encoding.UTF8, "application/json"), cancellationToken);

    public async Task<JobStatus> SubmitAsync(JobSpec spec, CancellationToken cancellationToken)
    {
        using var answer = await PostAsync("api/jobs", JsonSerializer.Serialize(spec, JobsJson.Default.JobSpec), cancellationToken);
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        Assert.True((int)answer.StatusCode == 202, $"{(int)answer.StatusCode} {body}");
        return JsonSerializer.Deserialize(body, JobsJson.Default.JobStatus)!;
    }

    public async Task<JobStatus> JobAsync(string id, CancellationToken cancellationToken) =>
        (await Http.GetFromJsonAsync($"api/jobs/{id}", JobsJson.Default.JobStatus, cancellationToken))!;

    public async Task<JobStatus> EndOfJobAsync(string id, CancellationToken cancellationToken)
    {
        JobStatus? job = null;
        await UntilAsync(async () => JobTransitions.IsTerminal((job = await JobAsync(id, cancellationToken)).State), $"the end of job {id}", cancellationToken);
        return job!;
    }

    /// <summary>Polls until something is so; a connection refused on the way counts as not yet.</summary>
    public static async Task UntilAsync(Func<Task<bool>> isSo, string what, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                if (await isSo())
                {
                    return;
                }
            }
            catch (HttpRequestException) when (TimeProvider.System.GetElapsedTime(started) < Patience)
            {
                // A part is on its way up.
            }

            Assert.True(TimeProvider.System.GetElapsedTime(started) < Patience, $"waited {Patience} in vain for {what}");
            await Task.Delay(50, cancellationToken);
        }
    }
}
