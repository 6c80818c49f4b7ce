{{- define "footage-desk.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "footage-desk.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "footage-desk.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "footage-desk.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels by which everything of the release is found. */}}
{{- define "footage-desk.selectorLabels" -}}
app.kubernetes.io/name: {{ include "footage-desk.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "footage-desk.labels" -}}
{{ include "footage-desk.selectorLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: footage-desk
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Annotations of an object: those of everything, then its own. (dict "root" $ "own" map) */}}
{{- define "footage-desk.annotations" -}}
{{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (default dict .own) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Those of a hook: when, in which order, and that it goes before the next one and after it has succeeded; what failed stays, and Helm
     prints its log. */}}
{{- define "footage-desk.hookAnnotations" -}}
{{- include "footage-desk.annotations" (dict "root" .root "own" (mergeOverwrite (deepCopy (default dict .own)) (dict "helm.sh/hook" .when "helm.sh/hook-weight" .weight "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" "helm.sh/hook-output-log-policy" "hook-failed"))) }}
{{- end }}

{{- define "footage-desk.image" -}}
{{- $name := .Values.image.repository }}
{{- with default .Values.image.registry .Values.global.imageRegistry }}{{- $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{- end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $name .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* The registry's secrets, of the values each a name or {name: …}, as a JSON list of the latter. */}}
{{- define "footage-desk.pullSecrets" -}}
{{- $all := list }}
{{- range concat (default list .Values.global.imagePullSecrets) .Values.image.pullSecrets }}
{{- $all = append $all (ternary . (dict "name" .) (kindIs "map" .)) }}
{{- end }}
{{- $all | uniq | toJson }}
{{- end }}

{{- define "footage-desk.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "footage-desk.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "footage-desk.loanClaim" -}}
{{- default (printf "%s-loan-keys" (include "footage-desk.fullname" .)) .Values.loanKeys.existingClaim }}
{{- end }}

{{/* A worker as it is: workerDefaults with its own values over them, as JSON. (dict "root" $ "worker" .) What is one thing is not merged: a worker
     with a nodeSelector of its own leaves that of the others. */}}
{{- define "footage-desk.worker" -}}
{{- $own := default dict .worker }}
{{- $worker := mergeOverwrite (deepCopy .root.Values.workerDefaults) (deepCopy $own) }}
{{- range $key := list "nodeSelector" "affinity" "dnsConfig" "updateStrategy" }}
{{- if hasKey $own $key }}{{- $_ := set $worker $key (index $own $key) }}{{- end }}
{{- end }}
{{/* Without any it is refused in a sentence (_validate.tpl), which is made after the Deployments. */}}
{{- if not $worker.jobTypes }}{{- $_ := set $worker "jobTypes" list }}{{- end }}
{{- $worker | toJson }}
{{- end }}

{{/* The workers that are installed, by name, as JSON. */}}
{{- define "footage-desk.workers" -}}
{{- $all := dict }}
{{- range $name, $own := .Values.workers }}
{{- $worker := include "footage-desk.worker" (dict "root" $ "worker" $own) | fromJson }}
{{- if $worker.enabled }}{{- $_ := set $all $name $worker }}{{- end }}
{{- end }}
{{- $all | toJson }}
{{- end }}

{{/* The most connections to the database that the release may hold, with one pod more of each part while an upgrade replaces them, and its jobs. */}}
{{- define "footage-desk.databaseConnections" -}}
{{- $sum := add (ternary 2 0 .Values.migration.enabled) (ternary 2 0 .Values.backup.enabled) (ternary 2 0 .Values.directory.enabled) }}
{{- if .Values.portal.enabled }}
  {{- $pods := ternary .Values.portal.autoscaling.maxReplicas .Values.portal.replicas .Values.portal.autoscaling.enabled }}
  {{- $sum = add $sum (mul (add1 (int $pods)) (add1 (int .Values.portal.databasePool))) }}
{{- end }}
{{- range $name, $w := include "footage-desk.workers" . | fromJson }}
  {{- $pods := $w.replicas }}
  {{- if $w.autoscaling.enabled }}{{- $pods = $w.autoscaling.maxReplicas }}{{- else if $w.keda.enabled }}{{- $pods = $w.keda.maxReplicas }}{{- end }}
  {{- $sum = add $sum (mul (add1 (int $pods)) (add1 (int $w.databasePool))) }}
{{- end }}
{{- $sum }}
{{- end }}

{{/* Every secret of the chart as {name: {secret, key, env}}: `inline` gets a key in a Secret of ours. As JSON. */}}
{{- define "footage-desk.secrets" -}}
{{- $v := .Values }}
{{- dict
  "camunda" $v.camunda.auth.oidc.secret
  "database" $v.database.secret
  "store" $v.store.secret
  "replica" $v.replica.secret
  "vault" $v.vault.identity
  "portal" $v.portal.key
  "recorders" $v.recorders.key
  "seal" $v.seal.key
  "log" $v.auditLog.key
  "oidc" $v.portal.oidc.secret
  "mail" $v.portal.mail.secret
  "webhook" $v.portal.webhook.secret
  "directory" $v.directory.secret
  "access-log" $v.portal.accessLog.secret
  "replica-access-log" $v.portal.replicaAccessLog.secret | toJson }}
{{- end }}

{{/* Name and key of one of them: (dict "root" $ "name" "store") as JSON {name, key}. */}}
{{- define "footage-desk.secretRef" -}}
{{- $one := index (include "footage-desk.secrets" .root | fromJson) .name }}
{{- if $one.existingSecret }}
{{- dict "name" $one.existingSecret "key" $one.existingSecretKey | toJson }}
{{- else }}
{{- dict "name" (printf "%s-%s" (include "footage-desk.fullname" .root) .name) "key" $one.existingSecretKey | toJson }}
{{- end }}
{{- end }}

{{- define "footage-desk.hasSecret" -}}
{{- if or .inlineSecret .existingSecret }}true{{ end }}
{{- end }}

{{/* What a list of job types needs beside database and engine, as a JSON list. (dict "root" $ "jobTypes" list "extra" list) */}}
{{- define "footage-desk.access" -}}
{{- $table := (.root.Files.Get "files/access.json" | fromJson).jobTypes }}
{{- $all := default list .extra }}
{{- range .jobTypes }}{{- $all = concat $all (default list (index $table .)) }}{{- end }}
{{- $all | uniq | sortAlpha | toJson }}
{{- end }}

{{- define "footage-desk.portalAccess" -}}
{{- (.Files.Get "files/access.json" | fromJson).portal | toJson }}
{{- end }}

{{- define "footage-desk.backupAccess" -}}
{{- concat (ternary (list "loanKeysRead") list (not (empty .Values.backup.recipient))) (list "replica" "store") | toJson }}
{{- end }}
