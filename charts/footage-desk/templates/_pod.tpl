{{/* A part is (dict "root" $ "values" map "component" name "access" list "own" dict "database" bool "camunda" bool "keys" bool "tmpSize" text),
     where `values` has what an operator says of it, `own` the variables that are its alone; `job` for what ends, `owner` for who owns tables and buckets,
     `beforehand` for what runs before the release's own objects are there. */}}

{{/* A value as text; YAML's whole numbers are floating ones to Helm, which would write 1e+06. */}}
{{- define "footage-desk.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* What a variable is, beside its name: a text, or what it comes from. As JSON. */}}
{{- define "footage-desk.entry" -}}
{{- ternary . (dict "value" (include "footage-desk.text" .)) (kindIs "map" .) | toJson }}
{{- end }}

{{/* The variables of a container as a list. They are gathered by name, so that none stands there twice: Helm 4 and the API server refuse that. */}}
{{- define "footage-desk.env" -}}
{{- $root := .root }}{{- $v := $root.Values }}{{- $env := dict }}
{{- range $given := list (ternary $v.config dict (default false .beforehand)) .own }}
  {{- range $name, $entry := $given }}{{- $_ := set $env $name (include "footage-desk.entry" $entry | fromJson) }}{{- end }}
{{- end }}
{{- if .database }}
  {{- $user := $v.database.user }}{{- $password := include "footage-desk.secretRef" (dict "root" $root "name" "database") | fromJson }}
  {{- if and .owner $v.database.owner.user }}
    {{- $user = $v.database.owner.user }}{{- $password = dict "name" $v.database.owner.existingSecret "key" $v.database.owner.existingSecretKey }}
  {{- end }}
  {{- $_ := set $env "PGPASSWORD" (dict "valueFrom" (dict "secretKeyRef" $password)) }}
  {{- $query := printf "?sslmode=%s" $v.database.sslMode }}
  {{- if $v.database.caSecret }}{{- $query = printf "%s&sslrootcert=/etc/footage-desk/ca/database/ca.crt" $query }}{{- end }}
  {{- if $v.database.systemAuthorities }}{{- $query = printf "%s&sslrootcert=system" $query }}{{- end }}
  {{- $where := printf "%s:%v" $v.database.host $v.database.port }}
  {{- if contains "," (toString $v.database.host) }}
    {{- $where = "" }}
    {{- range splitList "," $v.database.host }}{{- $query = printf "%s&host=%s:%v" $query (trim .) $v.database.port }}{{- end }}
  {{- end }}
  {{- $_ := set $env "FOOTAGE_DESK_DATABASE_URL" (dict "value" (printf "postgresql+psycopg://%s@%s/%s%s" ($user | urlquery) $where $v.database.name $query)) }}
  {{- if $v.database.pooler }}{{- $_ := set $env "FOOTAGE_DESK_DATABASE__POOLER" (dict "value" "true") }}{{- end }}
{{- end }}
{{- if .camunda }}
  {{- $_ := set $env "ZEEBE_ADDRESS" (dict "value" $v.camunda.grpcAddress) }}
  {{- $_ := set $env "ZEEBE_INSECURE_CONNECTION" (dict "value" (ternary "false" "true" $v.camunda.tls.enabled)) }}
  {{- if and $v.camunda.tls.enabled $v.camunda.tls.caSecret }}
    {{- $_ := set $env "ZEEBE_CA_CERTIFICATE_PATH" (dict "value" "/etc/footage-desk/ca/camunda/ca.crt") }}
  {{- end }}
  {{- if and $v.camunda.tls.enabled $v.camunda.tls.clientSecret }}
    {{- $_ := set $env "CAMUNDA_MTLS_CERT_PATH" (dict "value" "/etc/footage-desk/client/camunda/tls.crt") }}
    {{- $_ := set $env "CAMUNDA_MTLS_KEY_PATH" (dict "value" "/etc/footage-desk/client/camunda/tls.key") }}
  {{- end }}
  {{- if eq $v.camunda.auth.method "oidc" }}
    {{- $_ := set $env "CAMUNDA_CLIENT_ID" (dict "value" $v.camunda.auth.oidc.clientId) }}
    {{- $_ := set $env "CAMUNDA_OAUTH_URL" (dict "value" $v.camunda.auth.oidc.tokenUrl) }}
    {{- with $v.camunda.auth.oidc.audience }}{{- $_ := set $env "CAMUNDA_TOKEN_AUDIENCE" (dict "value" .) }}{{- end }}
    {{- with $v.camunda.auth.oidc.scope }}{{- $_ := set $env "CAMUNDA_TOKEN_SCOPE" (dict "value" .) }}{{- end }}
    {{- $_ := set $env "CAMUNDA_CLIENT_SECRET" (dict "valueFrom" (dict "secretKeyRef" (include "footage-desk.secretRef" (dict "root" $root "name" "camunda") | fromJson))) }}
  {{- end }}
{{- end }}
{{- range $group := list "store" "replica" }}
  {{- if has $group $.access }}
    {{- $place := index $v $group }}{{- $prefix := printf "FOOTAGE_DESK_%s" (upper $group) }}
    {{- $id := $place.accessKey }}{{- $secret := include "footage-desk.secretRef" (dict "root" $root "name" $group) | fromJson }}
    {{- if and $.owner $place.owner.accessKey }}
      {{- $id = $place.owner.accessKey }}{{- $secret = dict "name" $place.owner.existingSecret "key" $place.owner.existingSecretKey }}
    {{- end }}
    {{- $_ := set $env (printf "%s__ENDPOINT" $prefix) (dict "value" $place.endpoint) }}
    {{- $_ := set $env (printf "%s__SECURE" $prefix) (dict "value" (toString $place.secure)) }}
    {{- $_ := set $env (printf "%s__PREFIX" $prefix) (dict "value" $place.prefix) }}
    {{- $_ := set $env (printf "%s__ACCESS_KEY" $prefix) (dict "value" $id) }}
    {{- with $place.region }}{{- $_ := set $env (printf "%s__REGION" $prefix) (dict "value" .) }}{{- end }}
    {{- if $place.caSecret }}{{- $_ := set $env (printf "%s__CA_FILE" $prefix) (dict "value" (printf "/etc/footage-desk/ca/%s/ca.crt" $group)) }}{{- end }}
    {{- $_ := set $env (printf "%s__SECRET_KEY" $prefix) (dict "valueFrom" (dict "secretKeyRef" $secret)) }}
  {{- end }}
{{- end }}
{{- if and (has "recorders" .access) $v.recorders.folder.existingClaim }}
  {{- $_ := set $env "FOOTAGE_DESK_RECORDERS__ROOTS" (dict "value" $v.recorders.folder.mountPath) }}
{{- end }}
{{- if has "provider" .access }}
  {{- with $v.portal.oidc }}
    {{- if .issuer }}
      {{- $_ := set $env "FOOTAGE_DESK_OIDC__ISSUER" (dict "value" .issuer) }}
      {{- $_ := set $env "FOOTAGE_DESK_OIDC__CLIENT_ID" (dict "value" .clientId) }}
      {{- with .name }}{{- $_ := set $env "FOOTAGE_DESK_OIDC__NAME" (dict "value" .) }}{{- end }}
      {{- with .scopes }}{{- $_ := set $env "FOOTAGE_DESK_OIDC__SCOPES" (dict "value" .) }}{{- end }}
      {{- with .claim }}{{- $_ := set $env "FOOTAGE_DESK_OIDC__CLAIM" (dict "value" .) }}{{- end }}
      {{- if .caSecret }}{{- $_ := set $env "FOOTAGE_DESK_OIDC__CA_FILE" (dict "value" "/etc/footage-desk/ca/provider/ca.crt") }}{{- end }}
      {{- $_ := set $env "FOOTAGE_DESK_OIDC__CLIENT_SECRET" (dict "valueFrom" (dict "secretKeyRef" (include "footage-desk.secretRef" (dict "root" $root "name" "oidc") | fromJson))) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if has "directory" .access }}
  {{- with $v.directory }}
    {{- if .host }}
      {{- $_ := set $env "FOOTAGE_DESK_DIRECTORY__HOST" (dict "value" .host) }}
      {{- $_ := set $env "FOOTAGE_DESK_DIRECTORY__PORT" (dict "value" (toString .port)) }}
      {{- $_ := set $env "FOOTAGE_DESK_DIRECTORY__SECURITY" (dict "value" .security) }}
      {{- $_ := set $env "FOOTAGE_DESK_DIRECTORY__BASE" (dict "value" .base) }}
      {{- if .caSecret }}{{- $_ := set $env "FOOTAGE_DESK_DIRECTORY__CA_FILE" (dict "value" "/etc/footage-desk/ca/directory/ca.crt") }}{{- end }}
      {{- if .bindDn }}
        {{- $_ := set $env "FOOTAGE_DESK_DIRECTORY__BIND_DN" (dict "value" .bindDn) }}
        {{- $_ := set $env "FOOTAGE_DESK_DIRECTORY__BIND_PASSWORD" (dict "valueFrom" (dict "secretKeyRef" (include "footage-desk.secretRef" (dict "root" $root "name" "directory") | fromJson))) }}
      {{- end }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if has "portalKey" .access }}
  {{- if include "footage-desk.hasSecret" $v.portal.accessLog.secret }}
    {{- $_ := set $env "FOOTAGE_DESK_MAINTENANCE__STORE_LOG_TOKEN" (dict "valueFrom" (dict "secretKeyRef" (include "footage-desk.secretRef" (dict "root" $root "name" "access-log") | fromJson))) }}
  {{- end }}
  {{- if include "footage-desk.hasSecret" $v.portal.replicaAccessLog.secret }}
    {{- $_ := set $env "FOOTAGE_DESK_MAINTENANCE__REPLICA_STORE_LOG_TOKEN" (dict "valueFrom" (dict "secretKeyRef" (include "footage-desk.secretRef" (dict "root" $root "name" "replica-access-log") | fromJson))) }}
    {{- $_ := set $env "FOOTAGE_DESK_REPLICA__PREFIX" (dict "value" $v.replica.prefix) }}
  {{- end }}
{{- end }}
{{- if or (has "sealKey" .access) (has "logKey" .access) }}
  {{- with $v.seal.timeStamp }}
    {{- if .url }}{{- $_ := set $env "FOOTAGE_DESK_TIME_STAMP__URL" (dict "value" .url) }}{{- end }}
    {{- if .trusted }}{{- $_ := set $env "FOOTAGE_DESK_TIME_STAMP__TRUSTED_FILE" (dict "value" "/keys/seal/time-stamp-trusted.pem") }}{{- end }}
  {{- end }}
{{- end }}
{{- if has "mail" .access }}
  {{- with $v.portal.mail }}
    {{- if .host }}
      {{- $_ := set $env "FOOTAGE_DESK_NOTICES__MAIL__HOST" (dict "value" .host) }}
      {{- $_ := set $env "FOOTAGE_DESK_NOTICES__MAIL__PORT" (dict "value" (toString .port)) }}
      {{- $_ := set $env "FOOTAGE_DESK_NOTICES__MAIL__SECURITY" (dict "value" .security) }}
      {{- $_ := set $env "FOOTAGE_DESK_NOTICES__MAIL__SENDER" (dict "value" .sender) }}
      {{- if .user }}
        {{- $_ := set $env "FOOTAGE_DESK_NOTICES__MAIL__USER" (dict "value" .user) }}
        {{- $_ := set $env "FOOTAGE_DESK_NOTICES__MAIL__PASSWORD" (dict "valueFrom" (dict "secretKeyRef" (include "footage-desk.secretRef" (dict "root" $root "name" "mail") | fromJson))) }}
      {{- end }}
    {{- end }}
  {{- end }}
  {{- with $v.portal.webhook }}
    {{- if .url }}
      {{- $_ := set $env "FOOTAGE_DESK_NOTICES__WEBHOOK__URL" (dict "value" .url) }}
      {{- $_ := set $env "FOOTAGE_DESK_NOTICES__WEBHOOK__SECRET" (dict "valueFrom" (dict "secretKeyRef" (include "footage-desk.secretRef" (dict "root" $root "name" "webhook") | fromJson))) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if $v.models.existingConfigMap }}{{- $_ := set $env "FOOTAGE_DESK_MODELS_DIR" (dict "value" "/etc/footage-desk/models") }}{{- end }}
{{- $_ := set $env "FOOTAGE_DESK_DATA_DIR" (dict "value" "/var/lib/footage-desk") }}
{{- if .keys }}{{- $_ := set $env "FOOTAGE_DESK_KEYS_DIR" (dict "value" "/keys") }}{{- end }}
{{- range $given := list $v.extraEnv (default dict .values.extraEnv) }}
  {{- range $name, $entry := $given }}{{- $_ := set $env $name (include "footage-desk.entry" $entry | fromJson) }}{{- end }}
{{- end }}
{{- range $name := keys $env | sortAlpha }}
- {{ merge (dict "name" $name) (index $env $name) | toJson }}
{{- end }}
{{- end }}

{{/* Where else its variables come from. */}}
{{- define "footage-desk.envFrom" -}}
{{- $settings := list (dict "configMapRef" (dict "name" (include "footage-desk.fullname" .root))) }}
{{- $sources := concat (ternary list $settings (default false .beforehand)) .root.Values.extraEnvFrom (default list .values.extraEnvFrom) }}
{{- with $sources }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Requests and limits without those that are null, which the API server would read as 0. */}}
{{- define "footage-desk.resources" -}}
{{- $kept := deepCopy . }}
{{- range $how := list "requests" "limits" }}
  {{- range $what, $amount := index $kept $how }}{{- if kindIs "invalid" $amount }}{{- $_ := unset (index $kept $how) $what }}{{- end }}{{- end }}
{{- end }}
{{- toYaml $kept }}
{{- end }}

{{/* What every container of ours has, beside its name, its command and its ports. */}}
{{- define "footage-desk.container" -}}
image: {{ include "footage-desk.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
env:
  {{- include "footage-desk.env" . | nindent 2 }}
{{- with include "footage-desk.envFrom" . | trim }}
{{ . }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
resources:
  {{- include "footage-desk.resources" .values.resources | nindent 2 }}
volumeMounts:
  {{- include "footage-desk.mounts" . | nindent 2 }}
{{- end }}

{{/* The files that a part's key folder is laid out from, as a JSON list. */}}
{{- define "footage-desk.keyFiles" -}}
{{- $names := list }}
{{- if has "recipients" .access }}{{- $names = concat $names (list "vault/vault-recipient.txt" "vault/escrow-recipient.txt") }}{{- end }}
{{- if has "vaultKey" .access }}{{- $names = append $names "vault/vault-identity.txt" }}{{- end }}
{{- if has "portalKey" .access }}{{- $names = append $names "portal/secrets.key" }}{{- end }}
{{- if has "recordersKey" .access }}{{- $names = append $names "recorders/secrets.key" }}{{- end }}
{{- if or (has "sealKey" .access) (has "sealChain" .access) }}{{- $names = append $names "seal/seal-chain.pem" }}{{- end }}
{{- if has "sealKey" .access }}{{- $names = append $names "seal/seal-key.pem" }}{{- end }}
{{- if and .root.Values.seal.timeStamp.trusted (or (has "sealKey" .access) (has "logKey" .access)) }}{{- $names = append $names "seal/time-stamp-trusted.pem" }}{{- end }}
{{- if has "logKey" .access }}
  {{- $names = append $names "log/log-key.pem" }}
  {{- if .root.Values.auditLog.formerKeys }}{{- $names = append $names "log/log-vkeys.txt" }}{{- end }}
{{- end }}
{{- $names | toJson }}
{{- end }}

{{/* The init containers: the one that lays out keys, where the part is given any, and the operator's. */}}
{{- define "footage-desk.initContainers" -}}
{{- $names := include "footage-desk.keyFiles" . | fromJsonArray }}
{{- $loans := or (has "loanKeys" .access) (has "loanKeysRead" .access) }}
{{- if or $names $loans }}
- name: keys
  image: {{ include "footage-desk.image" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [python, /scripts/lay_out_keys.py]
  args: {{ concat (ternary (list "--loans" (ternary "write" "read" (has "loanKeys" .access))) list $loans) $names | toJson }}
  securityContext:
    {{- toYaml .root.Values.containerSecurityContext | nindent 4 }}
  resources:
    {{- include "footage-desk.resources" .root.Values.keys.resources | nindent 4 }}
  volumeMounts:
    - {name: scripts, mountPath: /scripts, readOnly: true}
    - {name: keys, mountPath: /keys}
    {{- if $names }}
    - {name: given-keys, mountPath: /given, readOnly: true}
    {{- end }}
    {{- if has "loanKeys" .access }}
    - {name: loan-keys, mountPath: /loan-keys}
    {{- end }}
{{- end }}
{{- with concat .root.Values.initContainers (default list .values.initContainers) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The operator's containers beside ours. */}}
{{- define "footage-desk.sidecars" -}}
{{- with concat (ternary list .root.Values.sidecars (default false .job)) (default list .values.sidecars) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "footage-desk.caMounts" -}}
{{- $v := .root.Values }}
{{- if and .database $v.database.caSecret }}
- {name: ca-database, mountPath: /etc/footage-desk/ca/database, readOnly: true}
{{- end }}
{{- if and .camunda $v.camunda.tls.enabled $v.camunda.tls.caSecret }}
- {name: ca-camunda, mountPath: /etc/footage-desk/ca/camunda, readOnly: true}
{{- end }}
{{- if and .camunda $v.camunda.tls.enabled $v.camunda.tls.clientSecret }}
- {name: client-camunda, mountPath: /etc/footage-desk/client/camunda, readOnly: true}
{{- end }}
{{- range $group := list "store" "replica" }}
{{- if and (has $group $.access) (index $v $group).caSecret }}
- {name: ca-{{ $group }}, mountPath: /etc/footage-desk/ca/{{ $group }}, readOnly: true}
{{- end }}
{{- end }}
{{- if and (has "provider" .access) $v.portal.oidc.issuer $v.portal.oidc.caSecret }}
- {name: ca-provider, mountPath: /etc/footage-desk/ca/provider, readOnly: true}
{{- end }}
{{- if and (has "directory" .access) $v.directory.host $v.directory.caSecret }}
- {name: ca-directory, mountPath: /etc/footage-desk/ca/directory, readOnly: true}
{{- end }}
{{- end }}

{{- define "footage-desk.mounts" -}}
{{- $v := .root.Values }}{{- $keys := include "footage-desk.keyFiles" . | fromJsonArray }}
- {name: data, mountPath: /var/lib/footage-desk}
- {name: tmp, mountPath: /tmp}
{{- if or $keys (has "loanKeys" .access) (has "loanKeysRead" .access) }}
- {name: keys, mountPath: /keys}
{{- end }}
{{- if has "loanKeys" .access }}
- {name: loan-keys, mountPath: /loan-keys}
{{- else if has "loanKeysRead" .access }}
- {name: loan-keys, mountPath: /loan-keys, readOnly: true}
{{- end }}
{{- if and (has "recorders" .access) $v.recorders.folder.existingClaim }}
- {name: recorders, mountPath: {{ $v.recorders.folder.mountPath }}, readOnly: true}
{{- end }}
{{- if $v.models.existingConfigMap }}
- {name: models, mountPath: /etc/footage-desk/models, readOnly: true}
{{- end }}
{{- include "footage-desk.caMounts" . }}
{{- with concat $v.extraVolumeMounts (default list .values.extraVolumeMounts) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "footage-desk.volumes" -}}
{{- $v := .root.Values }}{{- $keys := include "footage-desk.keyFiles" . | fromJsonArray }}
{{- $full := include "footage-desk.fullname" .root }}
{{- $loans := or (has "loanKeys" .access) (has "loanKeysRead" .access) }}
- {name: data, emptyDir: {sizeLimit: 64Mi}}
- {name: tmp, emptyDir: {sizeLimit: {{ .tmpSize }}}}
{{- if or $keys $loans }}
- {name: keys, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
- name: scripts
  configMap:
    name: {{ $full }}-scripts
{{- end }}
{{- if $keys }}
- name: given-keys
  projected:
    defaultMode: 0440
    sources:
      {{- if has "recipients" .access }}
      - configMap:
          name: {{ $full }}-recipients
          items:
            - {key: vault-recipient.txt, path: vault/vault-recipient.txt}
            - {key: escrow-recipient.txt, path: vault/escrow-recipient.txt}
      {{- end }}
      {{- if has "vaultKey" .access }}
      {{- $ref := include "footage-desk.secretRef" (dict "root" .root "name" "vault") | fromJson }}
      - secret:
          name: {{ $ref.name }}
          items: [{key: {{ $ref.key }}, path: vault/vault-identity.txt}]
      {{- end }}
      {{- if has "portalKey" .access }}
      {{- $ref := include "footage-desk.secretRef" (dict "root" .root "name" "portal") | fromJson }}
      - secret:
          name: {{ $ref.name }}
          items: [{key: {{ $ref.key }}, path: portal/secrets.key}]
      {{- end }}
      {{- if has "recordersKey" .access }}
      {{- $ref := include "footage-desk.secretRef" (dict "root" .root "name" "recorders") | fromJson }}
      - secret:
          name: {{ $ref.name }}
          items: [{key: {{ $ref.key }}, path: recorders/secrets.key}]
      {{- end }}
      {{- if or (has "sealKey" .access) (has "sealChain" .access) }}
      - configMap:
          name: {{ $full }}-recipients
          items: [{key: seal-chain.pem, path: seal/seal-chain.pem}]
      {{- end }}
      {{- if and $v.seal.timeStamp.trusted (or (has "sealKey" .access) (has "logKey" .access)) }}
      - configMap:
          name: {{ $full }}-recipients
          items: [{key: time-stamp-trusted.pem, path: seal/time-stamp-trusted.pem}]
      {{- end }}
      {{- if has "sealKey" .access }}
      {{- $ref := include "footage-desk.secretRef" (dict "root" .root "name" "seal") | fromJson }}
      - secret:
          name: {{ $ref.name }}
          items: [{key: {{ $ref.key }}, path: seal/seal-key.pem}]
      {{- end }}
      {{- if has "logKey" .access }}
      {{- $ref := include "footage-desk.secretRef" (dict "root" .root "name" "log") | fromJson }}
      - secret:
          name: {{ $ref.name }}
          items: [{key: {{ $ref.key }}, path: log/log-key.pem}]
      {{- if $v.auditLog.formerKeys }}
      - configMap:
          name: {{ $full }}-recipients
          items: [{key: log-vkeys.txt, path: log/log-vkeys.txt}]
      {{- end }}
      {{- end }}
{{- end }}
{{- if $loans }}
- name: loan-keys
  persistentVolumeClaim:
    claimName: {{ include "footage-desk.loanClaim" .root }}
{{- end }}
{{- if and (has "recorders" .access) $v.recorders.folder.existingClaim }}
- name: recorders
  persistentVolumeClaim: {claimName: {{ $v.recorders.folder.existingClaim }}, readOnly: true}
{{- end }}
{{- if $v.models.existingConfigMap }}
- name: models
  configMap:
    name: {{ $v.models.existingConfigMap }}
{{- end }}
{{- if and .database $v.database.caSecret }}
- {name: ca-database, secret: {secretName: {{ $v.database.caSecret }}, items: [{key: ca.crt, path: ca.crt}]}}
{{- end }}
{{- if and .camunda $v.camunda.tls.enabled $v.camunda.tls.caSecret }}
- {name: ca-camunda, secret: {secretName: {{ $v.camunda.tls.caSecret }}, items: [{key: ca.crt, path: ca.crt}]}}
{{- end }}
{{- if and .camunda $v.camunda.tls.enabled $v.camunda.tls.clientSecret }}
- {name: client-camunda, secret: {secretName: {{ $v.camunda.tls.clientSecret }}, defaultMode: 0440, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}}
{{- end }}
{{- range $group := list "store" "replica" }}
{{- if and (has $group $.access) (index $v $group).caSecret }}
- {name: ca-{{ $group }}, secret: {secretName: {{ (index $v $group).caSecret }}, items: [{key: ca.crt, path: ca.crt}]}}
{{- end }}
{{- end }}
{{- if and (has "provider" .access) $v.portal.oidc.issuer $v.portal.oidc.caSecret }}
- {name: ca-provider, secret: {secretName: {{ $v.portal.oidc.caSecret }}, items: [{key: ca.crt, path: ca.crt}]}}
{{- end }}
{{- if and (has "directory" .access) $v.directory.host $v.directory.caSecret }}
- {name: ca-directory, secret: {secretName: {{ $v.directory.caSecret }}, items: [{key: ca.crt, path: ca.crt}]}}
{{- end }}
{{- with concat $v.extraVolumes (default list .values.extraVolumes) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "footage-desk.probes" -}}
{{- range $name := list "startupProbe" "readinessProbe" "livenessProbe" }}
{{- $probe := index $.Values $name }}
{{- if $probe.enabled }}
{{ $name }}:
  httpGet: {path: {{ $probe.probePath }}, port: health}
  periodSeconds: {{ $probe.periodSeconds }}
  timeoutSeconds: {{ $probe.timeoutSeconds }}
  failureThreshold: {{ $probe.failureThreshold }}
{{- end }}
{{- end }}
{{- end }}

{{/* Labels and annotations of a part's pods, the chart's own before the operator's. */}}
{{- define "footage-desk.podLabels" -}}
{{- $own := include "footage-desk.labels" .root | fromYaml }}
{{- $_ := set $own "app.kubernetes.io/component" .component }}
{{- if .role }}{{- $_ := set $own "footage-desk/role" .role }}{{- end }}
{{- mergeOverwrite (deepCopy .root.Values.podLabels) (default dict .values.podLabels) $own | toYaml }}
{{- end }}

{{- define "footage-desk.podAnnotations" -}}
{{- $own := ternary dict (include "footage-desk.checksums" .root | fromYaml) (default false .job) }}
{{- with mergeOverwrite (deepCopy .root.Values.podAnnotations) (default dict .values.podAnnotations) $own }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What every pod says about itself, beside its containers and volumes. */}}
{{- define "footage-desk.podSpec" -}}
{{- $v := .root.Values }}{{- $own := .values }}
serviceAccountName: {{ default (include "footage-desk.serviceAccountName" .root) .serviceAccount }}
automountServiceAccountToken: false
# A Service's name would become FOOTAGE_DESK_PORTAL_PORT=tcp://… otherwise.
enableServiceLinks: false
securityContext:
  {{- toYaml $v.podSecurityContext | nindent 2 }}
{{- with include "footage-desk.pullSecrets" .root | fromJsonArray }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $key := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" "dnsConfig" "hostAliases" "nodeSelector" "tolerations" "affinity" }}
{{- with default (index $v $key) (index $own $key) }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- if not .job }}
{{- with default $v.topologySpreadConstraints .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{- toYaml . | nindent 4 }}
    {{- if not .labelSelector }}
    labelSelector:
      matchLabels:
        {{- include "footage-desk.selectorLabels" $.root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* How a Deployment replaces its pods, and what it keeps. */}}
{{- define "footage-desk.rollout" -}}
revisionHistoryLimit: {{ int .root.Values.revisionHistoryLimit }}
{{- $strategy := default .root.Values.updateStrategy .values.updateStrategy }}
strategy:
  {{- ternary (dict "type" "Recreate") $strategy (eq $strategy.type "Recreate") | toYaml | nindent 2 }}
{{- end }}

{{/* A change of what a pod reads once, at its start, starts it again. */}}
{{- define "footage-desk.checksums" -}}
checksum/config: {{ list .Values.config .Values.vault.recipient .Values.vault.escrowRecipient .Values.seal.chain .Values.seal.timeStamp.trusted .Values.auditLog.formerKeys (.Files.Get "files/lay_out_keys.py") | toJson | sha256sum }}
checksum/secrets: {{ include "footage-desk.secrets" . | sha256sum }}
{{- end }}
