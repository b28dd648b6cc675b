using System.Net;
using System.Text.Json;
using Platform.Local.Sidecar;
using Platform.Local.Sidecar.Configuration;
using Platform.Local.Sidecar.Resources;
using Platform.Local.Supervisor;
using YamlDotNet.RepresentationModel;

namespace Platform.ConformanceTests.Dapr;

/// <summary>The repository's own resources, <c>components/local</c> and <c>components/kubernetes</c>, as the sidecar of each app loads them.</summary>
public sealed class ShippedResourcesTests : IDisposable
{
    private static readonly string Root = FindRoot();
    private readonly string _folder = Directory.CreateTempSubdirectory("shipped-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Folders_OfBothPlaces_HaveTheSameFiles() => Assert.Equal(FilesOf("local"), FilesOf("kubernetes"));

    [Fact]
    public async Task Local_EveryAppOfTheTemplate_HasWhatDaprInitInstalls()
    {
        await using var cluster = await TestCluster.OpenAsync("");
        foreach (var app in RunTemplate.Load(Root).Apps)
        {
            var sidecar = await cluster.Cluster.StartAsync(app.Sidecar with { AppPort = null }, Stop);
            using var dapr = TestCluster.ClientOf(sidecar);

            var components = await ComponentsAsync(dapr);

            // As in the files that `dapr init` writes to ~/.dapr/components.
            Assert.Equal(["pubsub pubsub.redis v1", "statestore state.redis v1"], components.Keys);
            Assert.Contains("ACTOR", components["statestore state.redis v1"]);
            await (await dapr.SendAsync(HttpMethod.Post, "v1.0/state/statestore", Answers.Json("""[{"key":"k","value":1}]"""))).IsAsync(HttpStatusCode.NoContent);
            await (await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/t", Answers.Json("1"))).IsAsync(HttpStatusCode.NoContent);
        }

        foreach (var file in new[] { "statestore.yaml", "pubsub.yaml" })
        {
            var settings = ResourceDocument.Parse(Path.Combine(Root, "components", "local", file)).Single().Spec.Maps("metadata").ToDictionary(entry => entry.RequiredText("name"), entry => entry.Text("value"));
            Assert.Equal("localhost:6379", settings["redisHost"]);
        }
    }

    [Fact]
    public void Template_HasTheFieldsOfDaprsCliAndTheirTypes()
    {
        // The yaml tags of dapr/cli:pkg/runfileconfig and pkg/standalone/run.go. The CLI passes over keys that it does not know; a value of another type ends it.
        string[] texts = ["configFilePath", "appProtocol", "apiListenAddresses", "logLevel", "placementHostAddress", "schedulerHostAddress", "resourcesPath", "maxBodySize", "readBufferSize", "appHealthCheckPath", "runtimePath", "daprdLogDestination", "appLogDestination"];
        string[] numbers = ["appMaxConcurrency", "appHealthProbeInterval", "appHealthProbeTimeout", "appHealthThreshold"];
        string[] flags = ["enableProfiling", "appSSL", "enableAppHealthCheck", "enableApiLogging"];
        string[] lists = ["resourcesPaths"];
        var root = new YamlStream();
        using (var text = File.OpenText(Path.Combine(Root, "dapr.yaml")))
        {
            root.Load(text);
        }

        var template = new YamlMap("dapr.yaml", (YamlMappingNode)root.Documents.Single().RootNode);
        Assert.Equal(1, template.Number("version"));
        Assert.Subset(new HashSet<string> { "version", "name", "common", "apps" }, template.Keys.ToHashSet());
        Check(template.Map("common")!, texts, numbers, flags, lists);
        Assert.All(template.Maps("apps"), app => Check(
            app,
            [.. texts, "appID", "appDirPath", "appChannelAddress", "unixDomainSocket"],
            [.. numbers, "appPort", "daprHTTPPort", "daprGRPCPort", "daprInternalGRPCPort", "metricsPort", "profilePort"],
            flags,
            [.. lists, "command"]));

        // Relative paths: those of common from the file's folder; the CLI stops at one that is not there.
        var common = template.Map("common")!;
        Assert.All(common.Texts("resourcesPaths").Append(common.Text("configFilePath")!).Concat(template.Maps("apps").Select(app => app.RequiredText("appDirPath"))), path => Assert.True(Path.Exists(Path.Combine(Root, path)), path));

        static void Check(YamlMap map, string[] texts, string[] numbers, string[] flags, string[] lists)
        {
            Assert.All(map.Keys, key => Assert.True(
                key switch
                {
                    _ when texts.Contains(key) => map.Text(key) is not null,
                    _ when numbers.Contains(key) => map.Number(key) is not null,
                    _ when flags.Contains(key) => map.Flag(key) is not null,
                    _ when lists.Contains(key) => map.Texts(key).Count > 0,
                    _ => false,
                },
                $"{key} is no field of the CLI's run template, or of another type"));
        }
    }

    [Theory]
    [InlineData("control", "pubsub pubsub.redis v1", "statestore state.postgresql v2")]
    [InlineData("functions", "pubsub pubsub.redis v1")]
    [InlineData("worker-0")]
    public async Task Kubernetes_EachApp_GetsWhatIsInItsScope(string appId, params string[] expected)
    {
        await WriteSecretsAsync();
        await using var cluster = await TestCluster.OpenAsync("");
        var sidecar = await cluster.Cluster.StartAsync(new SidecarOptions { AppId = appId, ResourcesPaths = [Path.Combine(Root, "components", "kubernetes"), _folder], ConfigPath = Configuration }, Stop);
        using var dapr = TestCluster.ClientOf(sidecar);

        var components = await ComponentsAsync(dapr);

        Assert.Equal(expected, components.Keys.Where(name => !name.StartsWith("kubernetes ", StringComparison.Ordinal)));
        Assert.All(components.Where(component => component.Key.StartsWith("statestore", StringComparison.Ordinal)), store => Assert.Contains("ACTOR", store.Value));
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/kubernetes/platform-pubsub")).IsErrorAsync(403, "ERR_PERMISSION_DENIED");
    }

    [Fact]
    public async Task Kubernetes_ASecretThatIsMissing_IsNamedWithFileAndLine()
    {
        await WriteSecretsAsync("""{ "platform-pubsub": { "host": "redis:6379", "password": "p" } }""");
        await using var cluster = await TestCluster.OpenAsync("");

        var e = await Assert.ThrowsAsync<SidecarException>(() => cluster.Cluster.StartAsync(new SidecarOptions { AppId = "control", ResourcesPaths = [Path.Combine(Root, "components", "kubernetes"), _folder] }, Stop));

        Assert.Matches(@"statestore\.yaml\(\d+\): store 'kubernetes' has no secret 'platform-statestore' with key 'connectionString'", e.Message);
    }

    [Fact]
    public void Kubernetes_Configuration_HasMutualTlsOnAndLetsOnlyOurAppsCall()
    {
        var spec = ResourceDocument.Parse(Configuration).Single().Spec;
        var access = spec.Map("accessControl")!;

        Assert.True(spec.Map("mtls")!.Flag("enabled"));
        Assert.Equal("deny", access.Text("defaultAction"));
        Assert.Equal(RunTemplate.Load(Root).Apps.Select(app => app.AppId).Order(StringComparer.Ordinal), access.Maps("policies").Select(policy => policy.RequiredText("appId")).Order(StringComparer.Ordinal));
        Assert.All(access.Maps("policies"), policy => Assert.Equal(("platform", "platform"), (policy.Text("trustDomain"), policy.Text("namespace"))));
        Assert.False(SidecarConfiguration.Load(Configuration).AccessControl!.Allows("stranger", "v1/models", "GET"));
    }

    [Fact]
    public void Kubernetes_EveryResource_IsInTheNamespaceAndScoped()
    {
        var documents = Directory.GetFiles(Path.Combine(Root, "components", "kubernetes"), "*.yaml").SelectMany(ResourceDocument.Parse).ToList();

        Assert.Equal(["Component", "Component", "Resiliency"], documents.Select(document => document.Kind).Order(StringComparer.Ordinal));
        Assert.All(documents, document => Assert.Equal("platform", document.Root.Map("metadata")!.Text("namespace")));
        Assert.All(documents, document => Assert.NotEmpty(document.Root.Texts("scopes")));
    }

    private static string Configuration => Path.Combine(Root, "components", "kubernetes", "config", "config.yaml");

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "dapr.yaml")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("No dapr.yaml above the test program.");
    }

    private static IEnumerable<string> FilesOf(string place)
    {
        var folder = Path.Combine(Root, "components", place);
        return Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file)).Order(StringComparer.Ordinal);
    }

    private static async Task<SortedDictionary<string, List<string>>> ComponentsAsync(HttpClient dapr)
    {
        var metadata = await (await dapr.SendAsync(HttpMethod.Get, "v1.0/metadata")).JsonAsync();
        return new SortedDictionary<string, List<string>>(
            metadata.GetProperty("components").EnumerateArray().ToDictionary(
                component => $"{component.GetProperty("name")} {component.GetProperty("type")} {component.GetProperty("version")}",
                component => component.GetProperty("capabilities").EnumerateArray().Select(capability => capability.GetString()!).ToList()),
            StringComparer.Ordinal);
    }

    /// <summary>Kubernetes has a secret store of that name built in; here it is a file.</summary>
    private async Task WriteSecretsAsync(string secrets = """{ "platform-pubsub": { "host": "redis:6379", "password": "p" }, "platform-statestore": { "connectionString": "host=postgres" } }""")
    {
        var file = Path.Combine(_folder, "secrets.json");
        await File.WriteAllTextAsync(file, secrets, Stop);
        await File.WriteAllTextAsync(Path.Combine(_folder, "kubernetes.yaml"), $$"""
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: kubernetes }
            spec:
              type: secretstores.local.file
              version: v1
              metadata: [{ name: secretsFile, value: {{JsonSerializer.Serialize(file)}} }, { name: multiValued, value: "true" }]
            """, Stop);
    }
}
