using System.Net;
using Platform.Local.Sidecar;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Loading of resources, secrets, and the building blocks that are not there.</summary>
public sealed class ResourceTests
{
    [Theory]
    [InlineData("bindings.cron", "bindings.cron")]
    [InlineData("state.invented", "state.invented")]
    public async Task Component_OfAnUnservedType_IsRefusedWithFileAndLine(string type, string expected)
    {
        await using var cluster = await TestCluster.OpenAsync($$"""
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: x }
            spec:
              type: {{type}}
              version: v1
            """);

        var e = await Assert.ThrowsAsync<SidecarException>(() => cluster.StartSidecarAsync("app"));

        Assert.Contains("all.yaml(5)", e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("metadata: [{ name: redisHost, envRef: DAPR_API_TOKEN }]", "all.yaml(7): variable 'DAPR_API_TOKEN' may not be referred to")]
    [InlineData("metadata: [{ name: redisHost, secretKeyRef: { name: s, key: k } }]", "all.yaml(7): secret 's' is asked of store '(none)', which is not loaded")]
    [InlineData("metadata: []\n---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: x }\nspec: { type: pubsub.redis }", "component 'x' is there already")]
    public async Task Component_ThatCannotBeHonoured_IsRefusedWithFileAndLine(string metadata, string expected)
    {
        await using var cluster = await TestCluster.OpenAsync($"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: x }}\nspec:\n  type: state.redis\n  version: v1\n  {metadata}\n");

        var e = await Assert.ThrowsAsync<SidecarException>(() => cluster.StartSidecarAsync("app"));

        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Document_OfAnUnknownKind_IsRefused()
    {
        await using var cluster = await TestCluster.OpenAsync("apiVersion: dapr.io/v1alpha1\nkind: Componnent\nmetadata: { name: x }\n");

        var e = await Assert.ThrowsAsync<SidecarException>(() => cluster.StartSidecarAsync("app"));

        Assert.Contains("all.yaml(2)", e.Message, StringComparison.Ordinal);
        Assert.Contains("Componnent", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Components_OutOfScope_AreNotSeen_AndReplacedOnesAreNamed()
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + "\nscopes: [other]\n");

        var sidecar = await cluster.StartSidecarAsync("app");

        Assert.Equal(new ServedComponent("statestore", "state.redis", "the embedded durable store"), Assert.Single(sidecar.Report.Components));
    }

    [Fact]
    public async Task Folder_BelowTheResources_IsNotRead()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var below = Directory.CreateDirectory(Path.Combine(cluster.ResourcesFolder, "below")).FullName;
        await File.WriteAllTextAsync(Path.Combine(below, "broken.yaml"), "kind: Nonsense", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(cluster.ResourcesFolder, "notes.txt"), "kind: Nonsense", TestContext.Current.CancellationToken);

        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/healthz/outbound")).IsAsync(System.Net.HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Port_InUse_IsAClearError()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var first = await cluster.StartSidecarAsync("first");

        var e = await Assert.ThrowsAsync<SidecarException>(() => cluster.StartSidecarAsync("second", change: options => options with { HttpPort = first.HttpPort }));

        Assert.Contains(first.HttpPort.ToString(), e.Message, StringComparison.Ordinal);
        Assert.Contains("--dapr-http-port", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Secrets_SingleBulkUnknownAndDenied()
    {
        var folder = Directory.CreateTempSubdirectory("secrets-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "secrets.json"), """{"plain":"p","nested":{"inner":"i"},"hidden":"h"}""", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(folder, "config.yaml"), """
            apiVersion: dapr.io/v1alpha1
            kind: Configuration
            metadata: { name: config }
            spec:
              secrets:
                scopes:
                - { storeName: secrets, deniedSecrets: [hidden] }
            """, TestContext.Current.CancellationToken);
        await using var cluster = await TestCluster.OpenAsync($$"""
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: store }
            spec:
              type: state.in-memory
              metadata:
              - name: keyPrefix
                secretKeyRef: { name: "nested:inner" }
            auth: { secretStore: secrets }
            ---
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: secrets }
            spec:
              type: secretstores.local.file
              metadata: [{ name: secretsFile, value: "{{folder}}/secrets.json" }]
            """);
        using var dapr = await cluster.StartCallerAsync(change: options => options with { ConfigPath = Path.Combine(folder, "config.yaml") });

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/secrets/plain")).IsAsync(HttpStatusCode.OK, """{"plain":"p"}""");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/secrets/bulk")).IsAsync(HttpStatusCode.OK, """{"plain":{"plain":"p"},"nested:inner":{"nested:inner":"i"}}""");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/secrets/hidden")).IsErrorAsync(403, "ERR_PERMISSION_DENIED");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/secrets/nobody")).IsErrorAsync(500, "ERR_SECRET_GET");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/nobody/x")).IsErrorAsync(401, "ERR_SECRET_STORE_NOT_FOUND");
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Shutdown_AnswersThenStops()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var sidecar = await cluster.StartSidecarAsync("app");
        using var dapr = TestCluster.ClientOf(sidecar);

        await (await dapr.SendAsync(HttpMethod.Post, "v1.0/shutdown")).IsAsync(HttpStatusCode.NoContent);
        await sidecar.Stopped.WaitAsync(TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<HttpRequestException>(() => dapr.SendAsync(HttpMethod.Get, "v1.0/metadata"));
    }

    [Fact]
    public async Task Component_ThatSaysIgnoreErrors_IsLeftOutAndTheRestIsServed()
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + """

            ---
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: queue }
            spec: { type: bindings.kafka, version: v1, ignoreErrors: true }
            ---
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: secrets }
            spec: { type: secretstores.local.file, version: v1, ignoreErrors: true, metadata: [{ name: secretsFile, value: /nowhere }] }
            """);
        using var dapr = await cluster.StartCallerAsync();

        var metadata = await (await dapr.SendAsync(HttpMethod.Get, "v1.0/metadata")).JsonAsync();

        Assert.Equal(["pubsub", "statestore"], metadata.GetProperty("components").EnumerateArray().Select(component => component.GetProperty("name").GetString()).Order());
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/secrets/secrets/x")).IsErrorAsync(500, "ERR_SECRET_STORES_NOT_CONFIGURED");
    }
}
